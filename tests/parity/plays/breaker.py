"""A breaker's life as calls see it: it opens, time makes it half-open, one call finds out and the others don't wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from satisfice.core.clock import ManualClock
from satisfice.transport.script import Script
from tests.build import a_body
from tests.engine.stage import WHOLE, Caller, Stage, a_pace, an_error
from tests.parity.calls import PAUSE, Standing, ask_beside, fail, health_of, standing_of
from tests.server.front import ASGIFront, an_app

__all__ = [
    "a_caller_who_leaves_frees_the_probe",
    "a_caller_who_waited_in_vain_holds_nothing",
    "a_mistake_of_the_callers_frees_the_probe",
    "a_probe_is_one_attempt",
    "a_probe_that_fails",
    "a_probe_that_succeeds",
    "a_stranger_takes_no_probe",
    "failures_count_at_once",
    "half_a_minute",
    "late_news",
    "nobody_waits_for_a_stranger_to_the_call",
    "nobody_waits_for_long",
    "one_call_counts_once",
    "the_third_failure_opens",
    "those_who_wait_hear_of_a_failure",
    "those_who_wait_hear_of_a_success",
    "two_are_due_at_once",
    "what_is_shown",
]

_ERROR = an_error(500)


def _slow(script: Script, seconds: float) -> Script:
    return Script().wait(seconds).then(*script.steps)


def _alone(scripts: Sequence[Script], clock: ManualClock) -> Stage:
    """One provider, and one attempt a call."""
    return Stage({"acme": scripts}, clock, pacing=a_pace(max_attempts=1, backoff=0.0))


async def _half_open(clock: ManualClock, *after: Script) -> Stage:
    """The only provider has failed three calls, and half a minute is over; what it does after that."""
    stage = _alone([_ERROR, _ERROR, _ERROR, *after], clock)
    await fail(stage)
    clock.advance(2 * PAUSE)
    return stage


async def the_third_failure_opens(clock: ManualClock) -> None:
    stage = _alone([_ERROR], clock)

    states = []
    for _ in range(3):
        await stage.ask()
        states.append((await standing_of(stage, "acme")).state)

    assert ["closed", "closed", "open"] == states


async def half_a_minute(clock: ManualClock) -> None:
    stage = _alone([_ERROR, _ERROR, _ERROR, WHOLE], clock)
    await fail(stage)

    clock.advance(4.0)  # from five seconds on it would be tried as the only one there is
    early = await stage.ask()
    clock.advance(1.25 * PAUSE)
    late = await stage.ask()

    assert (503, 200) == (early.status, late.status)
    assert 4 == len(stage.tried)


async def a_probe_that_succeeds(clock: ManualClock) -> None:
    stage = await _half_open(clock, WHOLE)

    assert 200 == (await stage.ask()).status

    told = await standing_of(stage, "acme")
    assert ("closed", 0, None, None) == (told.state, told.failure_count, told.last_error, told.next_probe)


async def a_probe_that_fails(clock: ManualClock) -> None:
    stage = await _half_open(clock, an_error(502))

    await stage.ask()
    assert ("open", 4, "status 502") == _told(await standing_of(stage, "acme"))
    clock.advance(1.9 * PAUSE)
    assert "open" == (await standing_of(stage, "acme")).state
    clock.advance(0.7 * PAUSE)

    assert "half_open" == (await standing_of(stage, "acme")).state


async def what_is_shown(clock: ManualClock) -> None:
    stage = _alone([_ERROR, _ERROR, Script().refuse()], clock)
    await fail(stage)

    told = await standing_of(stage, "acme")

    assert ("open", 3, "connection refused") == _told(told)
    assert told.opened_at is not None
    assert told.next_probe is not None
    assert told.opened_at < told.next_probe


async def those_who_wait_hear_of_a_success(clock: ManualClock) -> None:
    stage = await _half_open(clock, _slow(WHOLE, 2.0), WHOLE)
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(ask_beside(stage)) for _ in range(6)]
        await asyncio.sleep(1.0)
        assert 4 == len(stage.tried), "one finds out, five wait"

    assert [200] * 6 == [call.result().status for call in calls]
    assert begun + 2.0 == clock.now()


async def those_who_wait_hear_of_a_failure(clock: ManualClock) -> None:
    stage = await _half_open(clock, _slow(an_error(502), 2.0))
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(ask_beside(stage)) for _ in range(3)]

    assert [502, 503, 503] == [call.result().status for call in calls]
    assert (begun + 2.0, 4) == (clock.now(), len(stage.tried))


async def a_caller_who_leaves_frees_the_probe(clock: ManualClock) -> None:
    stage = await _half_open(clock, Script().stall(), WHOLE)
    leaving = Caller()
    asyncio.get_running_loop().call_later(1.0, leaving.gone.set)
    await stage.ask(leaving)

    assert ("half_open", 3, "status 500") == _told(await standing_of(stage, "acme"))
    assert 200 == (await stage.ask()).status


async def a_mistake_of_the_callers_frees_the_probe(clock: ManualClock) -> None:
    stage = await _half_open(clock, an_error(400), WHOLE)

    mistaken = await stage.ask()

    assert (400, ("half_open", 3, "status 500")) == (mistaken.status, _told(await standing_of(stage, "acme")))
    assert 200 == (await stage.ask()).status


async def a_caller_who_waited_in_vain_holds_nothing(clock: ManualClock) -> None:
    """It left while it waited for the probe of another call, which then told nothing either."""
    stage = await _half_open(clock, Script().stall(), WHOLE)
    probing, waiting = Caller(), Caller()

    async with asyncio.TaskGroup() as group:
        group.create_task(ask_beside(stage, probing))
        await asyncio.sleep(1.0)
        group.create_task(ask_beside(stage, waiting))
        await asyncio.sleep(1.0)
        waiting.gone.set()
        await asyncio.sleep(1.0)
        probing.gone.set()
    begun = clock.now()

    assert 200 == (await stage.ask()).status
    assert begun == clock.now()


async def a_stranger_takes_no_probe(clock: ManualClock) -> None:
    stage = await _half_open(clock, WHOLE)
    front = ASGIFront(an_app(stage.gateway, token="sk-ours"))
    path, body = "/v1/chat/completions", a_body()

    stranger = await front.ask("POST", path, body=body)
    wrong = await front.ask("POST", path, body=b'{"model":"small"}', headers=[("authorization", "Bearer sk-ours")])
    known = await front.ask("POST", path, body=body, headers=[("authorization", "Bearer sk-ours")])

    assert [401, 400, 200] == [stranger.status, wrong.status, known.status]
    assert 4 == len(stage.tried)


async def two_are_due_at_once(clock: ManualClock) -> None:
    """After an outage of the network that both have seen; a call takes one probe at most, and each can be had."""
    scripts = [Script().refuse()] * 3
    stage = Stage(
        {"acme": [*scripts, Script().stall(), WHOLE], "bell": [*scripts, WHOLE]}, clock, pacing=a_pace(max_attempts=2)
    )
    await fail(stage)
    clock.advance(2 * PAUSE)
    leaving = Caller()
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        group.create_task(ask_beside(stage, leaving))
        await asyncio.sleep(1.0)
        assert "bell" == (await ask_beside(stage)).header("x-satisfice-provider")
        leaving.gone.set()

    assert 200 == (await stage.ask(body=a_body("small@acme"))).status
    assert begun + 1.0 == clock.now(), "nobody has waited"
    assert "ok" == (await health_of(stage)).status


async def nobody_waits_for_a_stranger_to_the_call(clock: ManualClock) -> None:
    """Of two offers the dearer is being tried by a call of its own that hangs."""
    stage = Stage(
        {"acme": WHOLE, "bell": [_ERROR, _ERROR, _ERROR, Script().stall()]}, clock, pacing=a_pace(max_attempts=1)
    )
    await fail(stage, model="small@bell")
    clock.advance(2 * PAUSE)
    hanging = Caller()
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        group.create_task(ask_beside(stage, hanging, model="small@bell"))
        await asyncio.sleep(1.0)
        assert "acme" == (await ask_beside(stage)).header("x-satisfice-provider")
        assert begun + 1.0 == clock.now()
        hanging.gone.set()


async def nobody_waits_for_long(clock: ManualClock) -> None:
    """Though there is nobody else to ask: three seconds, however long the probe of another call hangs."""
    stage = await _half_open(clock, Script().stall())
    hanging = Caller()
    begun = clock.now()

    async with asyncio.TaskGroup() as group:
        group.create_task(ask_beside(stage, hanging))
        await asyncio.sleep(1.0)
        assert 503 == (await ask_beside(stage)).status
        assert begun + 1.0 + 3.0 == clock.now()
        hanging.gone.set()


async def a_probe_is_one_attempt(clock: ManualClock) -> None:
    """Though the call may make four, and the offer to be tried would be the cheapest."""
    stage = Stage({"acme": _ERROR, "bell": _slow(WHOLE, 1.0)}, clock, pacing=a_pace(max_attempts=4))
    await fail(stage)
    clock.advance(2 * PAUSE)
    asked = len(stage.tried)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(ask_beside(stage)) for _ in range(3)]

    assert ["acme", "bell", "bell", "bell"] == sorted(stage.tried[asked:])
    assert [200] * 3 == [call.result().status for call in calls]
    assert ("open", 4, "status 500") == _told(await standing_of(stage, "acme"))


async def late_news(clock: ManualClock) -> None:
    """Six calls are under way when the third failure opens it; what becomes of the others changes nothing."""
    scripts = [_slow(_ERROR, 1.0)] * 3 + [_slow(an_error(502), 20.0)] * 2 + [_slow(WHOLE, 25.0), WHOLE]
    stage = _alone(scripts, clock)
    shown = []

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(ask_beside(stage)) for _ in range(6)]
        for seconds in (2.0, 19.0, 5.0):
            await asyncio.sleep(seconds)
            shown.append(await standing_of(stage, "acme"))

    assert ("open", 3, "status 500") == _told(shown[0])
    assert [shown[0]] * 2 == shown[1:]
    assert [500, 500, 500, 502, 502, 200] == [call.result().status for call in calls]


async def one_call_counts_once(clock: ManualClock) -> None:
    stage = Stage({"acme": _ERROR}, clock, pacing=a_pace(max_attempts=4))

    await stage.ask()

    assert 4 == len(stage.tried)
    assert ("closed", 1, "status 500") == _told(await standing_of(stage, "acme"))


async def failures_count_at_once(clock: ManualClock) -> None:
    """Three calls have failed at one provider and are at another now: a fourth does not try the first any more."""
    stage = Stage({"acme": _ERROR, "bell": _slow(WHOLE, 10.0)}, clock)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ask_beside(stage))
        await asyncio.sleep(1.0)
        assert 3 == stage.gateway.open_calls
        await ask_beside(stage)

    assert ["acme"] * 3 + ["bell"] * 4 == sorted(stage.tried)


def _told(standing: Standing) -> tuple[str, int, str | None]:
    return standing.state, standing.failure_count, standing.last_error
