"""Whom a call goes to while breakers are open, and what brings them to that."""

from __future__ import annotations

from satisfice.core.clock import ManualClock
from satisfice.transport.script import Script
from tests.engine.stage import STREAM, WHOLE, Stage, a_pace, an_error
from tests.parity.calls import Standing, fail, standing_of

__all__ = [
    "a_mistake_of_the_callers",
    "a_success_after_two_failures",
    "an_error_before_a_stream",
    "an_error_counts",
    "nobody_is_well",
    "nobody_is_well_for_a_stream",
    "the_cheaper_is_open",
    "the_cheaper_is_open_for_a_stream",
    "the_refusal_has_an_id",
]


async def nobody_is_well(clock: ManualClock) -> None:
    await _nobody_is_well(clock, stream=False)


async def nobody_is_well_for_a_stream(clock: ManualClock) -> None:
    await _nobody_is_well(clock, stream=True)


async def _nobody_is_well(clock: ManualClock, *, stream: bool) -> None:
    stage = Stage({"acme": an_error(500), "bell": Script().refuse()}, clock, pacing=a_pace(max_attempts=2))
    await fail(stage, stream=stream)
    asked, now = len(stage.tried), clock.now()

    caller = await stage.ask(stream=stream)

    assert (503, "circuit_open") == (caller.status, caller.error["code"])
    assert "small@acme: left alone" in str(caller.error["message"])
    assert "small@bell: left alone" in str(caller.error["message"])
    assert 0 < int(caller.header("retry-after") or 0) <= 38
    assert (asked, now) == (len(stage.tried), clock.now()), "it is told at once, and nothing is sent"


async def the_cheaper_is_open(clock: ManualClock) -> None:
    await _the_cheaper_is_open(clock, stream=False)


async def the_cheaper_is_open_for_a_stream(clock: ManualClock) -> None:
    await _the_cheaper_is_open(clock, stream=True)


async def _the_cheaper_is_open(clock: ManualClock, *, stream: bool) -> None:
    stage = Stage({"acme": an_error(500), "bell": STREAM if stream else WHOLE}, clock)
    await fail(stage, stream=stream)
    asked = len(stage.tried)

    caller = await stage.ask(stream=stream)

    assert (200, "bell") == (caller.status, caller.header("x-satisfice-provider"))
    assert "0" == caller.header("x-satisfice-retries")
    assert ["bell"] == stage.tried[asked:]


async def an_error_counts(clock: ManualClock) -> None:
    await _an_error_counts(clock, stream=False)


async def an_error_before_a_stream(clock: ManualClock) -> None:
    await _an_error_counts(clock, stream=True)


async def _an_error_counts(clock: ManualClock, *, stream: bool) -> None:
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(max_attempts=1))

    await stage.ask(stream=stream)

    assert Standing("closed", 1, "status 500") == await standing_of(stage, "acme")


async def a_mistake_of_the_callers(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(400)}, clock)

    await fail(stage, 5)

    assert Standing("closed", 0) == await standing_of(stage, "acme")


async def a_success_after_two_failures(clock: ManualClock) -> None:
    stage = Stage({"acme": [an_error(500), an_error(500), WHOLE]}, clock, pacing=a_pace(max_attempts=1))

    await fail(stage, 2)
    before = await standing_of(stage, "acme")
    await stage.ask()

    assert (2, 0) == (before.failure_count, (await standing_of(stage, "acme")).failure_count)


async def the_refusal_has_an_id(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(max_attempts=1))
    await fail(stage)

    first, second = await stage.ask(), await stage.ask()

    ids = [caller.header("x-satisfice-request-id") or "" for caller in (first, second)]
    assert 503 == first.status == second.status
    assert ids[0] != ids[1]
    assert ids[0] in str(first.error)
    assert "upstream" == first.header("x-satisfice-error-source")
