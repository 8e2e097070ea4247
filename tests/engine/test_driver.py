"""Who is tried when: rounds, backoff, budget, deadline, hedges; and calls that end from outside, at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email.utils import formatdate

import pytest

from satisfice.attempt.pacing import RetryBudget
from satisfice.core.clock import ManualClock
from satisfice.engine.attempt import World
from satisfice.engine.driver import Drive
from satisfice.engine.memory import Memory
from satisfice.ports import Endpoint, Timeouts
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.build import a_price, a_usage, an_offer
from tests.engine.race import Together
from tests.engine.stage import STREAM, WHOLE, Caller, Stage, a_pace, a_stream, an_error

_SLOW = Script().wait(3.0).then(*STREAM.steps)
_FAST = Script().wait(0.5).then(*STREAM.steps)


async def test_each_offer_is_tried_once_cheapest_first_before_any_is_tried_again(clock: ManualClock) -> None:
    stage = Stage({"acme": [an_error(500), WHOLE], "bell": an_error(500), "core": an_error(500)}, clock)
    begun = clock.now()

    caller = await stage.ask()

    assert ["acme", "bell", "core", "acme"] == stage.tried
    assert 200 == caller.status
    assert "3" == caller.header("x-satisfice-retries")
    assert begun + 0.5 == clock.now()  # the backoff before the second round
    assert ["acme", "bell", "core"] == [provider for provider, _ in stage.failures]


async def test_the_waits_double_from_round_to_round(clock: ManualClock) -> None:
    stage = Stage({"acme": [an_error(500)] * 3 + [WHOLE]}, clock)
    begun = clock.now()

    await stage.ask()

    assert ["acme"] * 4 == stage.tried
    assert begun + 0.5 + 1.0 + 2.0 == clock.now()


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_an_offer_at_its_limit_is_left_alone_as_long_as_it_says(*, as_date: bool, clock: ManualClock) -> None:
    value = formatdate(clock.unix_ms() / 1_000 + 7, usegmt=True) if as_date else "7"
    stage = Stage({"acme": [an_error(429, {"retry-after": value}), WHOLE]}, clock, pacing=a_pace(backoff=0.0))
    begun = clock.now()

    caller = await stage.ask()

    assert 200 == caller.status
    assert ["acme", "acme"] == stage.tried
    assert begun + 7.0 == clock.now()


async def test_who_wants_a_longer_wait_than_a_call_can_spare_is_told_to_the_caller(clock: ManualClock) -> None:
    stage = Stage(
        {
            "acme": an_error(429, {"retry-after": "90"}),
            "bell": an_error(429, {"retry-after": "40"}),
            "core": an_error(529, {"retry-after": "60"}),
        },
        clock,
    )
    begun = clock.now()

    caller = await stage.ask()

    assert ["acme", "bell", "core"] == stage.tried
    assert begun == clock.now()
    assert 429 == caller.status
    assert "rate_limit_exceeded" == caller.error["code"]
    assert "40" == caller.header("retry-after")


@pytest.mark.parametrize(
    ("scripts", "status"),
    [
        ([an_error(402), an_error(402)], 402),
        ([an_error(401), an_error(403)], 500),
        ([an_error(500), Script().stall()], 504),
        ([Script().stall(), an_error(503)], 503),
        ([an_error(402), an_error(500)], 500),
        ([an_error(500), an_error(401)], 500),
        ([an_error(429), an_error(404)], 429),
    ],
    ids=["no funds", "no key", "slow at last", "busy at last", "error", "error before no key", "limit before gone"],
)
async def test_what_failed_in_several_ways_is_summed_up(
    scripts: Sequence[Script], status: int, clock: ManualClock
) -> None:
    stage = Stage(dict(zip(("acme", "bell"), scripts, strict=True)), clock, pacing=a_pace(max_attempts=2))

    caller = await stage.ask()

    assert ["acme", "bell"] == stage.tried
    assert status == caller.status
    assert "acme: " in str(caller.error["message"])
    assert "; bell: " in str(caller.error["message"])


async def test_an_offer_that_does_not_stand_is_not_tried_again(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(404), "bell": an_error(401), "core": an_error(402)}, clock)

    await stage.ask()

    assert ["acme", "bell", "core"] == stage.tried


async def test_retries_come_out_of_one_budget_for_all_calls(clock: ManualClock) -> None:
    """An outage must not multiply the traffic."""
    stage = Stage({"acme": an_error(500)}, clock, pacing=a_pace(budget=RetryBudget(0.1, reserve=0.0)))

    first, second = await stage.ask(), await stage.ask()

    assert ["1", "0"] == [first.header("x-satisfice-retries"), second.header("x-satisfice-retries")]
    assert ["acme"] * 3 == stage.tried


async def test_answered_calls_pay_for_retries(clock: ManualClock) -> None:
    pacing = a_pace(budget=RetryBudget(0.5, reserve=0.0))
    stage = Stage({"acme": [an_error(500), WHOLE, WHOLE, an_error(500), WHOLE]}, clock, pacing=pacing)

    for _ in range(2):
        await stage.ask()
    last = await stage.ask()

    assert 200 == last.status
    assert "1" == last.header("x-satisfice-retries")


async def test_no_round_begins_that_could_not_end_in_time(clock: ManualClock) -> None:
    stage = Stage(
        {"acme": Script().wait(8.0).head(500)}, clock, pacing=a_pace(max_attempts=9), timeouts=Timeouts(total=20.0)
    )
    begun = clock.now()

    caller = await stage.ask()

    assert 504 == caller.status
    assert begun + 20.0 == clock.now()
    assert ["acme"] * 3 == stage.tried
    assert ("acme", "took too long in all") == stage.failures[-1]


async def test_a_slow_offer_is_hedged_and_loses(clock: ManualClock) -> None:
    stage = Stage({"acme": _SLOW, "bell": _FAST}, clock, pacing=a_pace(hedge_after=1.0))
    begun = clock.now()

    caller = await stage.ask(stream=True)

    assert ["acme", "bell"] == stage.tried
    assert "bell" == caller.header("x-satisfice-provider")
    assert "1" == caller.header("x-satisfice-retries")
    assert begun + 1.5 == pytest.approx(clock.now())
    assert [Ending.ABORTED, Ending.ENDED] == stage.endings
    assert [] == stage.failures
    assert stage.seen.is_complete


async def test_the_loser_of_a_race_is_stopped_at_once(clock: ManualClock) -> None:
    """The winner's stream may go on for minutes, and so would the bill of the other."""
    winner = Script().wait(0.5).then(*a_stream().wait(60.0).done().steps)
    stage = Stage(
        {"acme": Script().wait(30.0).then(*STREAM.steps), "bell": winner}, clock, pacing=a_pace(hedge_after=1.0)
    )
    endings: list[Ending] = []
    asyncio.get_running_loop().call_later(5.0, lambda: endings.extend(stage.endings))

    await stage.ask(stream=True)

    assert [Ending.ABORTED, Ending.OPEN] == endings


async def test_a_slow_offer_that_is_hedged_may_win(clock: ManualClock) -> None:
    stage = Stage({"acme": _SLOW, "bell": _SLOW}, clock, pacing=a_pace(hedge_after=1.0))
    begun = clock.now()

    caller = await stage.ask(stream=True)

    assert "acme" == caller.header("x-satisfice-provider")
    assert begun + 3.0 == pytest.approx(clock.now())
    assert [Ending.ENDED, Ending.ABORTED] == stage.endings


async def test_an_offer_that_answers_in_time_is_not_hedged(clock: ManualClock) -> None:
    stage = Stage({"acme": _FAST, "bell": _FAST}, clock, pacing=a_pace(hedge_after=1.0))

    await stage.ask(stream=True)

    assert ["acme"] == stage.tried


async def test_one_hedge_follows_the_other(clock: ManualClock) -> None:
    stage = Stage(
        {"acme": Script().stall(), "bell": Script().stall(), "core": _FAST}, clock, pacing=a_pace(hedge_after=1.0)
    )
    begun = clock.now()

    await stage.ask(stream=True)

    assert ["acme", "bell", "core"] == stage.tried
    assert begun + 2.5 == pytest.approx(clock.now())
    assert [Ending.ABORTED, Ending.ABORTED, Ending.ENDED] == stage.endings


@pytest.mark.parametrize("stream", [False, True], ids=["unstreamed", "streamed"])
async def test_of_two_that_answer_in_the_same_instant_one_is_dropped(*, stream: bool, clock: ManualClock) -> None:
    answer = (a_stream().wait(5.0).done() if stream else WHOLE).steps
    scripts = {"acme": Script().wait(2.0).then(*answer), "bell": Script().wait(1.0).then(*answer)}
    stage = Stage(scripts, clock, pacing=a_pace(hedge_after=1.0))

    caller = await stage.ask(stream=stream)

    assert caller.has_end
    assert 1 == caller.body.count(b"[DONE]" if stream else b'"Hi"')


async def test_if_the_first_of_two_fails_the_other_is_the_retry(clock: ManualClock) -> None:
    slow_failure = Script().wait(2.0).then(*an_error(500).steps)
    stage = Stage(
        {"acme": slow_failure, "bell": _SLOW, "core": WHOLE}, clock, pacing=a_pace(hedge_after=1.0, max_attempts=2)
    )

    caller = await stage.ask(stream=True)

    assert ["acme", "bell"] == stage.tried
    assert "bell" == caller.header("x-satisfice-provider")
    assert [("acme", "status 500")] == stage.failures


async def test_if_the_hedge_fails_the_first_goes_on(clock: ManualClock) -> None:
    stage = Stage({"acme": _SLOW, "bell": Script().refuse()}, clock, pacing=a_pace(hedge_after=1.0))

    caller = await stage.ask(stream=True)

    assert "acme" == caller.header("x-satisfice-provider")
    assert [("bell", "connection refused")] == stage.failures


async def test_if_both_fail_the_next_is_tried(clock: ManualClock) -> None:
    failure = Script().wait(2.0).then(*an_error(500).steps)
    stage = Stage({"acme": failure, "bell": failure, "core": STREAM}, clock, pacing=a_pace(hedge_after=1.5))

    caller = await stage.ask(stream=True)

    assert ["acme", "bell", "core"] == stage.tried
    assert 200 == caller.status


@pytest.mark.parametrize("order", [1, -1], ids=["heard first", "heard last"])
async def test_the_callers_mistake_is_relayed_from_a_race(order: int, clock: ManualClock) -> None:
    """Both attempts fail in the same instant, and it must not matter which of them is heard first."""
    mistake, failure = an_error(400, message="bad").steps, an_error(500).steps
    first, second = (mistake, failure)[::order]
    scripts = {"acme": Script().wait(2.0).then(*first), "bell": Script().wait(1.0).then(*second)}
    stage = Stage(scripts, clock, pacing=a_pace(hedge_after=1.0))

    caller = await stage.ask()

    assert 400 == caller.status
    assert "bad" == caller.error["message"]


_MOMENTS = {
    "before the head": (Script().stall(), None, Ending.ABORTED),
    "before the first output": (a_stream("").stall(), None, Ending.ABORTED),
    "between two pieces": (a_stream().stall(), "acme", Ending.ABORTED),
    "while it backs off": (an_error(429, {"retry-after": "9"}), None, Ending.ENDED),
}


@pytest.mark.parametrize(("script", "provider", "ending"), _MOMENTS.values(), ids=_MOMENTS.keys())
async def test_a_caller_who_leaves_stops_the_upstream(
    script: Script, provider: str | None, ending: Ending, clock: ManualClock
) -> None:
    stage = Stage({"acme": script}, clock)
    caller = Caller()
    asyncio.get_running_loop().call_later(5.0, caller.gone.set)
    begun = clock.now()

    await stage.ask(caller, stream=True)

    assert begun + 5.0 == pytest.approx(clock.now())
    assert [ending] == stage.endings
    assert not caller.has_end
    assert (True, False, provider, None) == (
        stage.seen.has_left,
        stage.seen.is_complete,
        stage.seen.provider,
        stage.seen.error,
    )


async def test_that_a_caller_left_is_no_cancellation_to_those_around(clock: ManualClock) -> None:
    """Else a timeout around the call, or the server's own task, would take itself for cancelled."""
    stage = Stage({"acme": Script().stall()}, clock)
    caller = Caller()
    caller.gone.set()

    async with asyncio.timeout(60.0):
        await stage.ask(caller)
    task = asyncio.current_task()

    assert task is not None
    assert 0 == task.cancelling()


async def test_a_caller_who_leaves_a_race_stops_both(clock: ManualClock) -> None:
    stage = Stage({"acme": Script().stall(), "bell": Script().stall()}, clock, pacing=a_pace(hedge_after=1.0))
    caller = Caller()
    asyncio.get_running_loop().call_later(5.0, caller.gone.set)

    await stage.ask(caller, stream=True)

    assert [Ending.ABORTED, Ending.ABORTED] == stage.endings
    assert stage.seen.has_left


async def test_a_slow_reader_who_leaves_stops_the_upstream(clock: ManualClock) -> None:
    """The call waits for the caller then, and not for the upstream, which has to be told all the same."""
    stage = Stage({"acme": a_stream(" x" * 60).stall()}, clock)
    caller = Caller(is_slow=True)
    asyncio.get_running_loop().call_later(9.5, caller.gone.set)

    await stage.ask(caller, stream=True)

    assert [Ending.ABORTED] == stage.endings
    assert stage.seen.has_left
    assert len(caller.pieces) < 20


async def test_what_was_used_is_known_even_if_the_caller_leaves(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().usage(19, 10).stall()}, clock)
    caller = Caller()
    asyncio.get_running_loop().call_later(5.0, caller.gone.set)

    await stage.ask(caller, stream=True)

    assert (a_usage(), 39, True) == (stage.seen.usage, stage.seen.cost, stage.seen.has_left)


async def test_who_leaves_at_the_terminator_has_had_all(clock: ManualClock) -> None:
    """As half of all clients do; it is the normal end, and the cost must not get lost over it."""
    stage = Stage({"acme": Script().head(200).drip(1.0).role().say("Hi").finish().usage(19, 10).done()}, clock)
    caller = Caller()

    def leave_at_the_end() -> None:
        if b"[DONE]" in caller.pieces[-1]:
            caller.gone.set()

    caller.on_piece = leave_at_the_end

    await stage.ask(caller, stream=True)

    assert caller.has_end
    assert (True, False, 39) == (stage.seen.is_complete, stage.seen.has_left, stage.seen.cost)


async def test_to_leave_after_the_end_changes_nothing(clock: ManualClock) -> None:
    stage = Stage({"acme": Script().head(200).drip(1.0).role().say("Hi").done()}, clock)
    caller = Caller(is_slow=True)
    caller.on_piece = lambda: caller.gone.set() if caller.has_end else None

    await stage.ask(caller, stream=True)

    assert stage.seen.is_complete
    assert not stage.seen.has_left


@pytest.mark.parametrize("script", [a_stream().stall(), a_stream().drip(1.0).say(" x" * 99)], ids=["silent", "talking"])
async def test_a_gateway_that_stops_breaks_streams_off_with_an_error(script: Script, clock: ManualClock) -> None:
    stage = Stage({"acme": script}, clock)
    caller = Caller()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await stage.ask(caller, stream=True)

    assert "error: The gateway is stopping." in caller.events[-1]
    assert b"[DONE]" not in caller.body
    assert caller.has_end
    assert [Ending.ABORTED] == stage.endings
    assert (False, False, "acme", None) == (
        stage.seen.is_complete,
        stage.seen.has_left,
        stage.seen.provider,
        stage.seen.error,
    )


@pytest.mark.parametrize("stream", [False, True], ids=["unstreamed", "streamed"])
async def test_a_gateway_that_stops_tells_who_has_seen_nothing(*, stream: bool, clock: ManualClock) -> None:
    stage = Stage({"acme": Script().stall(), "bell": Script().stall()}, clock, pacing=a_pace(hedge_after=1.0))
    caller = Caller()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await stage.ask(caller, stream=stream)

    assert 503 == caller.status
    assert "draining" == caller.error["code"]
    assert "gateway" == caller.header("x-satisfice-error-source")
    assert [Ending.ABORTED, Ending.ABORTED] == stage.endings
    assert stage.seen.error is not None
    assert "draining" == stage.seen.error.code


async def test_a_gateway_that_stops_leaves_whole_what_is_whole(clock: ManualClock) -> None:
    """The caller has all, and only reads slowly."""
    stage = Stage({"acme": WHOLE}, clock)
    caller = Caller(is_slow=True)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await stage.ask(caller)

    assert 1 == len(caller.pieces)
    assert stage.seen.is_complete


async def test_a_bug_in_a_race_stops_the_others(clock: ManualClock) -> None:
    """The second offer's provider has no endpoint, which assembly rules out."""
    offers = [an_offer("acme"), an_offer("ghost", price=a_price(9_000_000))]
    stage = Stage({"acme": Script().stall()}, clock, offers=offers, pacing=a_pace(hedge_after=1.0))

    caller = await stage.ask()

    assert 500 == caller.status
    assert [Ending.ABORTED] == stage.endings


async def test_a_bug_in_a_race_drops_what_has_answered_in_the_same_instant(clock: ManualClock) -> None:
    transport = Together()
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock, pacing=a_pace(hedge_after=1.0), transport=transport)

    caller = await stage.ask()

    assert 500 == caller.status
    assert [("bell", "aborted")] == transport.log


async def test_to_leave_before_the_start_or_after_the_end_does_nothing(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock)
    await stage.ask()
    world = World(stage.transport, clock, {"acme": Endpoint(provider="acme", url="")}, a_pace(), 600.0, Memory(clock))
    drive = Drive(world, stage.told[0][0], downstream=Caller())

    drive.leave()
    await drive.run(asyncio.current_task())
    drive.leave()
    await asyncio.sleep(0)

    assert drive.seen().is_complete
    assert not drive.seen().has_left
