"""What is printed while the stack comes up: in place on a terminal, line by line in a log."""

import io

from deploy.local.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_line_is_replaced_by_the_next() -> None:
    terminal = Terminal()
    progress = Progress(terminal)

    progress.live("1 of 2")
    progress.live("2 of 2")
    progress.settle("all")

    assert terminal.getvalue() == "1 of 2\r\x1b[2K2 of 2\r\x1b[2Kall\n"


def test_on_a_terminal_a_line_that_stays_stands_above_the_one_that_changes() -> None:
    terminal = Terminal()
    progress = Progress(terminal)

    progress.live("working")
    progress.say("a step")

    assert terminal.getvalue() == "working\r\x1b[2Ka step\nworking"


def test_a_log_has_no_control_characters_and_not_every_count() -> None:
    log = io.StringIO()
    progress = Progress(log)

    for count in range(100):
        progress.live(f"{count} of 100")
    progress.settle("100 of 100")

    assert log.getvalue() == "0 of 100\n100 of 100\n"


def test_a_step_is_told_when_it_ends_well_and_only_then() -> None:
    log = io.StringIO()
    progress = Progress(log)

    with progress.step("aws") as details:
        details.append("at home")
    try:
        with progress.step("stack"):
            raise OSError
    except OSError:
        pass

    assert "aws" in log.getvalue()
    assert "at home" in log.getvalue()
    assert "stack" not in log.getvalue()
