"""How much memory this process has held at most since it was last asked to forget it."""

import resource
from contextlib import suppress
from pathlib import Path


def forget_peak() -> None:
    """Reset the peak: from here on it is what the process holds now, or more.

    https://docs.kernel.org/filesystems/proc.html: 5 sets the peak of resident memory back.
    """
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Return the most bytes of memory that the process has held; of its whole life where the kernel keeps no other."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split(None, 1)[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
