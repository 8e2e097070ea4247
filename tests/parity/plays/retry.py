"""What becomes of a call whose offer fails: who is asked next, when, how long it may take, what the caller is told."""

from __future__ import annotations

import asyncio
from typing import Final

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break
from satisfice.ports import Timeouts
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.engine.stage import STREAM, WHOLE, Caller, Stage, a_pace, a_stream, an_error
from tests.parity.calls import standing_of

__all__ = [
    "a_black_hole",
    "a_body_as_agents_send_it",
    "a_call_that_takes_minutes",
    "a_caller_who_leaves",
    "a_cut_stream",
    "a_hanging_provider",
    "a_late_usage",
    "a_stall_in_mid_stream",
    "a_stream_falls_back",
    "all_fail",
    "every_candidate_is_used",
    "nobody_else",
    "one_terminator",
    "the_callers_mistake",
    "the_first_answers",
    "the_second_answers",
    "the_waits",
    "which_failures_are_retried",
    "who_failed_is_told",
]

_PROVIDERS_FAULT: Final = (
    301, 401, 402, 403, 404, 408, 409, 410, 413, 425, 429, 500, 501, 502, 503, 504, 505, 520, 529
)  # fmt: skip
_CALLERS_FAULT: Final = (400, 405, 406, 411, 415, 422, 431, 451)


async def which_failures_are_retried(clock: ManualClock) -> None:
    for status in _PROVIDERS_FAULT:
        for stream in (False, True):
            stage = Stage({"acme": an_error(status), "bell": STREAM if stream else WHOLE}, clock)
            caller = await stage.ask(stream=stream)
            assert (200, ["acme", "bell"]) == (caller.status, stage.tried), status


async def the_callers_mistake(clock: ManualClock) -> None:
    for status in _CALLERS_FAULT:
        stage = Stage({"acme": an_error(status, message="so not"), "bell": WHOLE}, clock)
        caller = await stage.ask()
        assert (status, ["acme"], "so not") == (caller.status, stage.tried, caller.error["message"])


async def the_first_answers(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE, "bell": WHOLE}, clock)

    caller = await stage.ask()

    assert (["acme"], "0") == (stage.tried, caller.header("x-satisfice-retries"))


async def the_second_answers(clock: ManualClock) -> None:
    """At once: nothing is waited for, and the first is not asked again."""
    stage = Stage({"acme": an_error(503), "bell": WHOLE}, clock)
    begun = clock.now()

    caller = await stage.ask()

    assert (["acme", "bell"], "1") == (stage.tried, caller.header("x-satisfice-retries"))
    assert begun == clock.now()


async def nobody_else(clock: ManualClock) -> None:
    stage = Stage({"acme": [an_error(503), WHOLE]}, clock)

    caller = await stage.ask()

    assert (200, ["acme"] * 2, "1") == (caller.status, stage.tried, caller.header("x-satisfice-retries"))


async def the_waits(clock: ManualClock) -> None:
    """Chance says a half each time: half of one second, of two, and of four."""
    stage = Stage({"acme": an_error(503)}, clock, pacing=a_pace(max_attempts=4, backoff=1.0))
    begun = clock.now()

    caller = await stage.ask()

    assert (503, ["acme"] * 4) == (caller.status, stage.tried)
    assert begun + 3.5 == clock.now()


async def all_fail(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(503), "bell": an_error(502)}, clock, pacing=a_pace(max_attempts=2))

    caller = await stage.ask()

    assert (502, ["acme", "bell"]) == (caller.status, stage.tried)
    assert 2 == str(caller.error["message"]).count("status 50")


async def who_failed_is_told(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(503), "bell": an_error(500)}, clock, pacing=a_pace(max_attempts=3))

    caller = await stage.ask()

    assert "2" == caller.header("x-satisfice-retries")
    assert "acme: status 503 (no); bell: status 500 (no); acme: status 503 (no)" in str(caller.error["message"])


async def every_candidate_is_used(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(500), "bell": Script().refuse(), "core": an_error(402), "dell": WHOLE}, clock)

    caller = await stage.ask()

    assert (["acme", "bell", "core", "dell"], 200) == (stage.tried, caller.status)


async def a_hanging_provider(clock: ManualClock) -> None:
    """It takes connections and never answers."""
    await _never_answers(clock, Script().stall(), seconds=30.0)


async def a_black_hole(clock: ManualClock) -> None:
    """It doesn't even take connections."""
    await _never_answers(clock, Script().fault(Break.CONNECT_TIMEOUT), seconds=5.0)


async def _never_answers(clock: ManualClock, script: Script, *, seconds: float) -> None:
    stage = Stage({"acme": script, "bell": WHOLE}, clock, timeouts=Timeouts(connect=5.0, first_byte=30.0, total=100.0))

    took, providers = [], []
    for _ in range(4):
        begun = clock.now()
        providers.append((await stage.ask()).header("x-satisfice-provider"))
        took.append(clock.now() - begun)

    assert ["bell"] * 4 == providers
    assert [seconds] * 3 + [0.0] == took, "three calls find out, and the fourth does not wait"


async def a_call_that_takes_minutes(clock: ManualClock) -> None:
    """With the timeouts that hold if nobody says otherwise."""
    whole = Script().wait(200.0).then(*WHOLE.steps)
    stream = Script().head(200).role().drip(10.0).say(" x" * 40).finish().usage(19, 40).done()
    stage = Stage({"acme": [whole, stream]}, clock)
    begun = clock.now()

    answered = await stage.ask()
    assert (200, begun + 200.0) == (answered.status, clock.now())
    streamed = await stage.ask(stream=True)

    assert "[DONE]" == streamed.events[-1]
    assert clock.now() - begun > 600.0


async def a_stall_in_mid_stream(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().stall()}, clock, timeouts=Timeouts(idle=10.0))
    begun = clock.now()

    caller = await stage.ask(stream=True)

    assert begun + 10.0 == clock.now()
    assert caller.events[-1].startswith("error: The stream from acme broke: fell silent.")
    assert b"[DONE]" not in caller.body
    assert 1 == (await standing_of(stage, "acme")).failure_count


async def a_stream_falls_back(clock: ManualClock) -> None:
    """However the first fails, as long as nothing has been said yet."""
    for script in (Script().refuse(), an_error(500), a_stream("").cut(), Script().head(200).body("<html>")):
        stage = Stage({"acme": script, "bell": STREAM}, clock)
        caller = await stage.ask(stream=True)
        assert (200, ["acme", "bell"], "bell") == (caller.status, stage.tried, caller.header("x-satisfice-provider"))
        assert "[DONE]" == caller.events[-1]


async def a_cut_stream(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().cut(), "bell": STREAM}, clock)

    caller = await stage.ask(stream=True)

    assert caller.events[-1].startswith("error: The stream from acme broke: cut before its end.")
    assert b"[DONE]" not in caller.body
    assert ["acme"] == stage.tried, "half of one answer and half of another make none"


async def one_terminator(clock: ManualClock) -> None:
    """And what the call cost stands before it, where clients still read."""
    stage = Stage({"acme": STREAM}, clock)

    caller = await stage.ask(wants_usage=True)

    assert 1 == caller.body.count(b"[DONE]")
    assert caller.body.endswith(b"data: [DONE]\n\n")
    assert caller.body.index(b'"cost_msat":39') < caller.body.index(b"[DONE]")


async def a_late_usage(clock: ManualClock) -> None:
    """Behind an event of 200 kB, and in a stream without a terminator."""
    stage = Stage({"acme": Script().head(200).big(200_000).finish().usage(19, 10)}, clock)

    await stage.ask(stream=True)

    assert (39, True) == (stage.seen.cost, stage.seen.is_complete)


async def a_caller_who_leaves(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().drip(1.0).say(" x" * 99)}, clock)
    caller = Caller()
    begun = clock.now()
    asyncio.get_running_loop().call_later(5.0, caller.gone.set)

    await stage.ask(caller, stream=True)

    assert ([Ending.ABORTED], True) == (stage.endings, stage.seen.has_left)
    assert clock.now() - begun < 6.0


async def a_body_as_agents_send_it(clock: ManualClock) -> None:
    """An assistant's message without text, tools, parts, fields that we have never heard of: all as it came."""
    stage = Stage({"acme": WHOLE}, clock)
    body = (
        b'{"model":"small","seed":7,"temperature":0.1,"response_format":{"type":"json_object"},"tools":[{"type":'
        b'"function","function":{"name":"f"}}],"messages":[{"role":"user","content":[{"type":"text","text":"a"},'
        b'{"type":"text","text":"b"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",'
        b'"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"c"}],"new":{"a":1}}'
    )

    caller = await stage.ask(body=body)

    assert 200 == caller.status
    assert body == stage.transport.sent[0].sending.body
