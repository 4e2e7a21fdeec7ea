from __future__ import annotations

from io import StringIO

from evaluation.execution.work import Progress
from evaluation.management.progress_line import ProgressLine


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _progress(done: int, spent: int = 0) -> Progress:
    return Progress(done=done, wanted=200, spent_nanousd=spent)


def test_says_count_rate_time_left_and_money_against_the_cap() -> None:
    stream, clock = Terminal(), Clock()
    line = ProgressLine(stream, wanted=200, cap_nanousd=2_000_000_000, clock=clock)
    clock.now += 10
    line.show(_progress(50, spent=12_345_000))
    shown = stream.getvalue()
    assert "50 of 200 answers" in shown
    assert "5 a second · about 30 s left" in shown
    assert "$0.0123 spent of $2.00" in shown


def test_a_cap_below_a_dollar_is_not_rounded_away() -> None:
    stream = Terminal()
    ProgressLine(stream, wanted=200, cap_nanousd=5_000_000, clock=Clock()).show(_progress(1))
    assert "of $0.0050" in stream.getvalue()


def test_a_terminal_has_one_line_that_is_rewritten() -> None:
    stream = Terminal()
    line = ProgressLine(stream, wanted=200, cap_nanousd=None, clock=Clock())
    for done in (0, 1, 2):
        line.show(_progress(done))
    assert stream.getvalue().count("\n") == 0
    line.close()
    assert stream.getvalue().count("\n") == 1


def test_elsewhere_a_line_for_each_tenth() -> None:
    stream = StringIO()
    line = ProgressLine(stream, wanted=200, cap_nanousd=None, clock=Clock())
    for done in range(0, 201, 5):
        line.show(_progress(done))
    line.close()
    assert len(stream.getvalue().splitlines()) == 11
    assert "rate not known yet" in stream.getvalue()
