"""What C libraries say when they get no memory: in words alone, and each in its own."""

import re

_MEMORY_IS_OUT = re.compile(
    r"bad_alloc|(failed|unable|could not|cannot) (to )?allocate|out of memory|not enough memory|MemoryError",
    re.IGNORECASE,
)


def says_memory_is_out(text: str) -> bool:
    """Tell whether a message says that memory was asked for in vain."""
    return _MEMORY_IS_OUT.search(text) is not None
