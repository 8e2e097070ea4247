"""The tool that plays with machines fails when it should, and shows why."""

from __future__ import annotations

import gc
from typing import NamedTuple

import pytest

from tests.play import Play


class _Ping(NamedTuple):
    number: int


class _Pong(NamedTuple):
    number: int


class _Echo:
    """Answers a ping with two pongs, and an odd one with nothing."""

    def start(self, now: float) -> tuple[_Pong, ...]:
        return (_Pong(0),)

    def tell(self, event: _Ping, now: float) -> tuple[_Pong, ...]:
        return () if event.number % 2 else (_Pong(event.number), _Pong(round(now)))


def _play() -> Play[_Ping, _Pong | _Ping]:
    return Play(_Echo())


def test_a_play_that_goes_as_expected_is_silent() -> None:
    _play().start().expect(_Pong(0)).tell(_Ping(1)).expect().tell(_Ping(2), after=3.0).expect(_Pong(2), _Pong(3))


def test_a_failure_shows_the_play_in_two_columns() -> None:
    with pytest.raises(pytest.fail.Exception) as failure:
        _play().start().expect(_Pong(0)).tell(_Ping(4), after=1.5).expect(_Pong(4))

    assert [
        "the machine did something else",
        "",
        "       told                  did",
        "  0 s  start                 _Pong(number=0)",
        "1.5 s  _Ping(number=4)       _Pong(number=4), _Pong(number=2)",
        "       … was expected to do  _Pong(number=4)",
    ] == [line.rstrip() for line in str(failure.value).splitlines()]


def test_equal_tuples_of_another_type_are_something_else() -> None:
    with pytest.raises(pytest.fail.Exception, match="did something else"):
        _play().start().expect(_Ping(0))


def test_nothing_is_something_to_be_expected() -> None:
    with pytest.raises(pytest.fail.Exception, match="nothing"):
        _play().start().expect(_Pong(0)).tell(_Ping(1)).expect(_Pong(1))


def test_a_line_can_not_be_left_out() -> None:
    with pytest.raises(pytest.fail.Exception, match="is told more before anybody said what it was to do"):
        _play().start().tell(_Ping(1))


def test_nothing_is_expected_twice() -> None:
    with pytest.raises(pytest.fail.Exception, match="was told nothing since"):
        _play().start().expect(_Pong(0)).expect(_Pong(0))


@pytest.mark.parametrize(("is_started", "complaint"), [(False, "never started"), (True, "left before the end")])
def test_a_play_that_is_not_played_to_its_end_complains(
    *, is_started: bool, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody hears an exception, this hook does, and pytest makes the test fail."""
    complaints: list[str] = []
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: complaints.append(str(unraisable.exc_value)))
    play = _play()
    if is_started:
        play.start()

    del play
    gc.collect()

    assert [f"the machine {complaint}"] == [each.split(":")[0].split("\n")[0] for each in complaints]
