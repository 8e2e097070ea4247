"""What an attempt makes of each way an upstream can fail: who is tried next, what the caller sees, what is told."""

from __future__ import annotations

import pytest

from satisfice.attempt.outcome import Fault
from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break
from satisfice.ports import Timeouts
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from tests.build import a_usage
from tests.engine.stage import STREAM, WHOLE, Caller, Stage, a_pace, a_stream, an_error

_HTML = "<html><head><title>502 Bad Gateway</title></head></html>"
_NO_STREAM = "it does not stream: a whole answer came for a request with `stream`; ask again without"
_TIMEOUTS = Timeouts(connect=5.0, first_byte=30.0, idle=10.0, total=100.0)

_Case = tuple[Script, str]

_ANYWHERE: dict[str, _Case] = {
    "refused connection": (Script().refuse(), "connection refused"),
    "unknown host": (Script().fault(Break.UNREACHABLE), "address not found or not reachable"),
    "black-holed connection": (Script().fault(Break.CONNECT_TIMEOUT), "no connection in time"),
    "bad certificate": (Script().fault(Break.TLS), "TLS failed"),
    "proxy that refuses": (Script().fault(Break.PROXY), "the proxy refused"),
    "silence": (Script().stall(), "no output in time"),
    "cut before the head": (Script().cut(), "cut before its end"),
    "redirect": (Script().head(301, {"location": "https://elsewhere.example"}), "status 301"),
    "key refused": (an_error(401), "status 401"),
    "no funds": (an_error(402), "status 402"),
    "key not allowed": (an_error(403), "status 403"),
    "model gone": (an_error(404, message="The model `small` does not exist"), "status 404"),
    "model gone, said with 400": (
        Script().head(400).body('{"error":{"message":"no","code":"model_not_found"}}'),
        "status 400",
    ),
    "request timeout": (an_error(408), "status 408"),
    "body too large there": (an_error(413), "status 413"),
    "at its limit": (an_error(429, {"retry-after": "7"}), "status 429"),
    "error": (an_error(500), "status 500"),
    "bad gateway in HTML": (Script().head(502, {"content-type": "text/html"}).body(_HTML), "status 502"),
    "error with status 200": (Script().head(200).body('{"error":{"message":"busy","code":503}}'), "status 503"),
    "gateway timeout": (an_error(504), "status 504"),
    "overloaded": (an_error(529), "status 529"),
    "error that is never told to its end": (Script().head(500).body("half of an erro").stall(), "status 500"),
    "error without end": (Script().head(500).raw(b"x" * 65_536).repeat(16), "status 500"),
}
_UNSTREAMED: dict[str, _Case] = {
    "cut in its middle": (Script().head(200).body('{"choices":[{"mess').cut(), "cut before its end"),
    "silence in its middle": (Script().head(200).body('{"choices":[{"mess').stall(), "fell silent"),
    "HTML": (Script().head(200).body(_HTML), f"{Break.MALFORMED.value}: the answer is no chat completion"),
    "nothing in it": (Script().head(200).body("{}"), f"{Break.MALFORMED.value}: the answer has no choices"),
}
_STREAMED: dict[str, _Case] = {
    "cut before the first event": (a_stream("").cut(), "cut before its end"),
    "clean end before the first output": (
        a_stream("").end(),
        "cut before its end: the stream ended before its first output",
    ),
    "terminator before the first output": (
        a_stream("").done(),
        "cut before its end: the stream ended before its first output",
    ),
    "an event that is none": (
        Script().head(200).event("<html>"),
        f"{Break.MALFORMED.value}: an event of the stream is not a chunk",
    ),
    "an endless event": (
        Script().head(200).comment("").raw(b"data: " + b"x" * 65_536).repeat(512),
        "larger than the limit: an event of more than 33554432 bytes",
    ),
    "an endless preamble": (
        Script().head(200).comment("x" * 65_532).repeat(512),
        "larger than the limit: more preamble than any answer has",
    ),
    "nothing but comments": (Script().head(200).drip(7.0).comment("wait").repeat(9), "no output in time"),
    "error as the first event": (
        Script().head(200).role().event('{"error":{"message":"boom","code":500}}').done(),
        "status 500",
    ),
    "error without a status": (Script().head(200).role().event('{"error":"boom"}'), "status 502"),
    "no stream": (WHOLE, _NO_STREAM),
}


def _cases(*tables: dict[str, _Case]) -> list[object]:
    return [pytest.param(*case, id=name) for table in tables for name, case in table.items()]


@pytest.mark.parametrize(("script", "detail"), _cases(_ANYWHERE, _UNSTREAMED))
async def test_an_offer_that_fails_is_replaced_by_the_next(script: Script, detail: str, clock: ManualClock) -> None:
    stage = Stage({"acme": script, "bell": WHOLE}, clock, timeouts=_TIMEOUTS)

    caller = await stage.ask()

    _expect_the_second(stage, caller, detail)
    assert b'"content":"Hi"' in caller.body
    assert a_usage() == stage.seen.usage


@pytest.mark.parametrize(("script", "detail"), _cases(_ANYWHERE, _STREAMED))
async def test_a_stream_that_fails_before_its_first_output_is_replaced_by_another(
    script: Script, detail: str, clock: ManualClock
) -> None:
    stage = Stage({"acme": script, "bell": STREAM}, clock, timeouts=_TIMEOUTS)

    caller = await stage.ask(stream=True)

    _expect_the_second(stage, caller, detail)
    assert ["role: assistant", "Hello", " there", "finish: stop", "[DONE]"] == caller.events


def _expect_the_second(stage: Stage, caller: Caller, detail: str) -> None:
    assert ["acme", "bell"] == stage.tried
    assert [("acme", detail)] == stage.failures
    assert 200 == caller.status
    assert "bell" == caller.header("x-satisfice-provider") == stage.seen.provider
    assert "1" == caller.header("x-satisfice-retries")
    assert caller.has_end
    assert stage.seen.is_complete
    assert 1 == stage.seen.retries
    assert 2 * 39 == stage.seen.cost


_ALONE = (
    (Script().refuse(), 502, "upstream_failed", "acme: connection refused"),
    (Script().fault(Break.CONNECT_TIMEOUT), 504, "upstream_timeout", "acme: no connection in time"),
    (Script().fault(Break.TLS), 502, "upstream_failed", "acme: TLS failed"),
    (Script().stall(), 504, "upstream_timeout", "acme: no output in time"),
    (Script().head(200).body("{").stall(), 504, "upstream_timeout", "acme: fell silent"),
    (an_error(500, message="boom"), 500, "upstream_failed", "acme: status 500 (boom)"),
    (Script().head(502).body(_HTML), 502, "upstream_failed", "acme: status 502."),
    (an_error(401), 500, "config", "acme: status 401"),
    (an_error(403), 500, "config", "acme: status 403"),
    (an_error(402, message="top up"), 402, "insufficient_quota", "acme: status 402 (top up)"),
    (an_error(404), 404, "upstream_failed", "acme: status 404 (no)"),
    (an_error(408), 408, "upstream_failed", "acme: status 408 (no)"),
    (an_error(429), 429, "rate_limit_exceeded", "acme: status 429 (no)"),
    (Script().head(301), 502, "upstream_failed", "acme: status 301"),
)


@pytest.mark.parametrize(("script", "status", "code", "story"), _ALONE, ids=[case[3] for case in _ALONE])
async def test_a_failure_that_nobody_mends_is_told(
    script: Script, status: int, code: str, story: str, clock: ManualClock
) -> None:
    stage = Stage({"acme": script}, clock, pacing=a_pace(max_attempts=1), timeouts=_TIMEOUTS)

    caller = await stage.ask()

    assert status == caller.status
    assert code == caller.error["code"]
    assert f"No offer answered. Tried {story}" in str(caller.error["message"])
    assert "application/json" == caller.header("content-type")
    assert str(len(caller.body)) == caller.header("content-length")
    assert "0" == caller.header("x-satisfice-retries")
    assert stage.told[-1][0].request_id == caller.header("x-satisfice-request-id")
    assert (None, None, False, False) == (
        stage.seen.provider,
        stage.seen.usage,
        stage.seen.is_complete,
        stage.seen.has_left,
    )
    assert stage.seen.error is not None
    assert status == stage.seen.error.status


async def test_the_time_of_each_phase_is_bounded(clock: ManualClock) -> None:
    black_hole, silence, loris = Script().fault(Break.CONNECT_TIMEOUT), Script().stall(), a_stream().drip(9.9)
    stage = Stage({"acme": black_hole, "bell": silence, "core": loris.say("x").stall()}, clock, timeouts=_TIMEOUTS)
    begun = clock.now()

    caller = await stage.ask(stream=True)

    assert ["acme", "bell", "core"] == stage.tried
    assert "error: The stream from core broke: fell silent." in caller.events[-1]
    assert begun + 5.0 + 30.0 + 9.9 + 10.0 == pytest.approx(clock.now())


async def test_a_whole_answer_that_drips_is_bounded_by_the_time_of_the_call(clock: ManualClock) -> None:
    """A slow loris: never silent for long, and never done."""
    stage = Stage({"acme": Script().head(200).drip(9.0).body(" ").repeat(99)}, clock, timeouts=_TIMEOUTS)
    begun = clock.now()

    caller = await stage.ask()

    assert 504 == caller.status
    assert [("acme", "took too long in all")] == stage.failures
    assert begun + 100.0 == pytest.approx(clock.now())


async def test_where_one_provider_has_no_more_time_another_may_still_have_some(clock: ManualClock) -> None:
    """The time for a call is set for each provider; the shortest of them is not the end of the call."""
    short, long = Timeouts(first_byte=30.0, total=10.0), Timeouts(total=100.0)
    stage = Stage({"acme": [Script().stall(), WHOLE], "bell": WHOLE}, clock, timeouts={"acme": short, "bell": long})

    caller = await stage.ask()

    assert ["acme", "bell"] == stage.tried
    assert 200 == caller.status
    assert [("acme", "took too long in all")] == stage.failures


async def test_a_stream_asked_of_who_has_none_is_refused_with_the_way_out(clock: ManualClock) -> None:
    """The answer is there but the caller could not read it; asking the same offer again would only cost once more."""
    stage = Stage({"acme": WHOLE}, clock)

    caller = await stage.ask(stream=True)

    assert ["acme"] == stage.tried
    assert 400 == caller.status
    assert f"acme: {_NO_STREAM}" in str(caller.error["message"])
    assert [Fault.ABILITY] == [outcome.fault for _, outcome in stage.seen.failures]


async def test_an_error_in_place_of_a_stream_is_an_error_first(clock: ManualClock) -> None:
    stage = Stage({"acme": Script().head(200).body('{"error":{"message":"slow down","code":429}}')}, clock)

    caller = await stage.ask(stream=True)

    assert 429 == caller.status


@pytest.mark.parametrize("stream", [False, True], ids=["unstreamed", "streamed"])
@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (400, "application/json; charset=utf-8", '{"error":{"message":"messages[0] is empty","param":"messages"}}'),
        (422, "text/plain", "temperature: too hot"),
    ],
)
async def test_the_callers_own_mistake_is_relayed_as_it_came(
    *, stream: bool, status: int, kind: str, body: str, clock: ManualClock
) -> None:
    script = Script().head(status, {"content-type": kind, "x-request-id": "up-1"}).body(body)
    stage = Stage({"acme": script, "bell": WHOLE}, clock)

    caller = await stage.ask(stream=stream)

    assert ["acme"] == stage.tried
    assert status == caller.status
    assert kind == caller.header("content-type")
    assert body.encode() == caller.body
    assert str(len(body)) == caller.header("content-length")
    assert "up-1" == caller.header("x-request-id")
    assert "caller" == caller.header("x-satisfice-error-source")
    assert "0" == caller.header("x-satisfice-retries")
    assert None is caller.header("x-satisfice-provider")
    assert (None, None, False) == (stage.seen.provider, stage.seen.error, stage.seen.is_complete)
    assert [("acme", f"status {status}")] == stage.failures


@pytest.mark.parametrize("stream", [False, True], ids=["unstreamed", "streamed"])
async def test_the_callers_mistake_with_status_200_gets_the_status_it_means(
    *, stream: bool, clock: ManualClock
) -> None:
    error = '{"error":{"message":"no such tool","code":400}}'
    script = Script().head(200).event(error) if stream else Script().head(200).body(error)
    stage = Stage({"acme": script, "bell": WHOLE}, clock)

    caller = await stage.ask(stream=stream)

    assert ["acme"] == stage.tried
    assert 400 == caller.status
    assert "application/json" == caller.header("content-type")
    assert error.encode() == caller.body


async def test_a_mistake_of_the_callers_whose_words_are_lost_is_still_one(clock: ManualClock) -> None:
    """What is left of the body is no answer to hand on, but no other offer would take the request either."""
    stage = Stage({"acme": Script().head(400).body('{"error":{"mess').cut(), "bell": WHOLE}, clock)

    caller = await stage.ask()

    assert ["acme"] == stage.tried
    assert 400 == caller.status
    assert "acme: status 400" in str(caller.error["message"])


async def test_a_stream_is_known_by_its_type_however_it_is_written(clock: ManualClock) -> None:
    script = Script().head(200, {"Content-Type": "Text/Event-Stream; charset=utf-8"}).say("Hi").done()
    stage = Stage({"acme": script}, clock)

    caller = await stage.ask(stream=True)

    assert ["Hi", "[DONE]"] == caller.events


async def test_an_attempt_that_is_given_up_stops_the_upstream(clock: ManualClock) -> None:
    """Whatever is wrong with an answer, a model that goes on writing it goes on costing."""
    broken = a_stream("").event("<html>").wait(3600).say("so much work")
    stage = Stage({"acme": broken, "bell": STREAM}, clock)

    await stage.ask(stream=True)

    assert [Ending.ABORTED, Ending.ENDED] == stage.endings
