"""What `GET /health` tells: by the clock, and without a call."""

from __future__ import annotations

from satisfice.core.clock import ManualClock
from satisfice.transport.script import Script
from tests.engine.stage import WHOLE, Stage, a_pace, an_error
from tests.parity.calls import PAUSE, Health, Standing, fail, health_of, look, standing_of

__all__ = [
    "all_are_closed",
    "all_are_open",
    "it_heals_without_a_call",
    "nobody_is_there",
    "one_is_half_open",
    "one_is_half_open_and_one_open",
    "one_is_open",
    "the_only_one_is_open",
    "two_failures",
]


async def all_are_closed(clock: ManualClock) -> None:
    told = await health_of(Stage({"acme": WHOLE, "bell": WHOLE}, clock))

    assert (200, "ok") == (told.http, told.status)
    assert [("acme", "closed", 0), ("bell", "closed", 0)] == [
        (name, each.state, each.failure_count) for name, each in told.providers.items()
    ]


async def nobody_is_there(clock: ManualClock) -> None:
    told = await health_of(Stage({}, clock))

    assert (200, "ok", {}) == (told.http, told.status, told.providers)


async def one_is_open(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": WHOLE}, clock)
    await fail(stage)

    told = await health_of(stage)

    assert (200, "degraded") == (told.http, told.status)
    acme = told.providers["acme"].offers["small@acme"]
    assert ("open", 3) == (acme.state, acme.failure_count)
    assert "closed" == told.providers["bell"].state


async def all_are_open(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": Script().refuse()}, clock, pacing=a_pace(max_attempts=2))
    await fail(stage)

    told = await health_of(stage)

    assert (503, "unhealthy") == (told.http, told.status)
    assert "open" == told.providers["bell"].state, "it could not be reached, so none of its offers can be had"
    live = await look(stage, "GET", "/live")
    assert 200 == live.status, "whoever restarts what is not live must not restart us for it"


async def one_is_half_open(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": WHOLE}, clock)
    await fail(stage)
    clock.advance(2 * PAUSE)

    assert (200, "degraded", "half_open") == await _told_of(stage)


async def one_is_half_open_and_one_open(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": an_error(500)}, clock, pacing=a_pace(max_attempts=1))
    await fail(stage, model="small@acme")
    clock.advance(2 * PAUSE)
    await fail(stage, model="small@bell")

    assert (200, "degraded", "half_open") == await _told_of(stage)
    assert "open" == (await standing_of(stage, "bell")).state


async def the_only_one_is_open(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(max_attempts=1))
    await fail(stage)

    assert (503, "unhealthy", "open") == await _told_of(stage)


async def two_failures(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(max_attempts=1))

    await fail(stage, 2)

    assert (200, "ok", "closed") == await _told_of(stage)
    assert Standing("closed", 2, "status 500") == await standing_of(stage, "acme")


async def it_heals_without_a_call(clock: ManualClock) -> None:
    """A balancer that sends nothing while it hears 503 would never send the call that finds out."""
    stage = Stage({"acme": [an_error(500)] * 3 + [WHOLE]}, clock, pacing=a_pace(max_attempts=1))
    await fail(stage)
    before = await health_of(stage)
    clock.advance(2 * PAUSE)

    assert 503 == before.http
    assert (200, "degraded", "half_open") == await _told_of(stage)
    await stage.ask()
    assert (200, "ok", "closed") == await _told_of(stage)


async def _told_of(stage: Stage, provider: str = "acme") -> tuple[int, str, str]:
    """Status of the answer, of all, and of this provider's offer."""
    told: Health = await health_of(stage)
    return told.http, told.status, told.providers[provider].offers[f"small@{provider}"].state
