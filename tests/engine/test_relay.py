"""What a caller gets of a committed answer: head, body, usage, cost, and an end that is honest."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from satisfice.core.clock import ManualClock
from satisfice.ports import Timeouts
from satisfice.transport.script import Script
from satisfice.transport.scripted import Ending
from satisfice.transport.timetable import timetable
from tests.build import a_body, a_usage, an_offer
from tests.engine.stage import STREAM, WHOLE, Caller, Stage, a_stream, an_error

_CUTS = {
    "cut": (a_stream().cut(), "cut before its end"),
    "cut within an event": (a_stream().raw(b'data: {"choices":[{"delta":{"content":" my').cut(), "cut before its end"),
    "silence": (a_stream().stall(), "fell silent"),
    "clean end in the middle": (a_stream().end(), "cut before its end"),
    "cut after the finish reason": (a_stream().finish().cut(), "cut before its end"),
}


async def test_a_whole_answer_comes_as_the_upstream_sent_it(clock: ManualClock) -> None:
    body = '{ "choices" : [ {"message": {"content": "\\u00fc", "new": 1.0e2}} ] , "x": null }\n'
    stage = Stage({"acme": Script().head(201).body(body)}, clock)

    caller = await stage.ask()

    assert 201 == caller.status
    assert body.encode() == caller.body
    assert [body.encode()] == caller.pieces
    assert str(len(body)) == caller.header("content-length")
    assert [Ending.ENDED] == stage.endings


async def test_the_head_says_who_answered_and_what_it_cost(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock)

    caller = await stage.ask()

    assert "acme" == caller.header("x-satisfice-provider")
    assert "small" == caller.header("x-satisfice-model")
    assert "0" == caller.header("x-satisfice-retries")
    assert "39" == caller.header("x-satisfice-cost-msat")
    assert stage.told[0][0].request_id == caller.header("x-satisfice-request-id")
    assert (a_usage(), 39) == (stage.seen.usage, stage.seen.cost)


async def test_a_name_of_an_odd_kind_stays_within_a_head(clock: ManualClock) -> None:
    offer = an_offer("acme", "modèle", upstream_model="small")
    stage = Stage({"acme": WHOLE}, clock, offers=[offer])

    caller = await stage.ask(body=a_body("modèle"))

    assert r"mod\xe8le" == caller.header("x-satisfice-model")


async def test_the_upstreams_fields_are_handed_on_but_for_those_of_its_house(clock: ManualClock) -> None:
    kept = {
        "anthropic-ratelimit-requests-remaining": "7",
        "content-type": "application/json",
        "openai-organization": "org-1",
        "openai-processing-ms": "11",
        "x-ratelimit-limit-tokens": "90",
        "x-request-id": "up-1",
        "x-unknown": "a, b",
    }
    dropped = {
        "access-control-allow-origin": "*",
        "alt-svc": "h3",
        "connection": "keep-alive",
        "content-encoding": "identity",
        "content-length": "9999",
        "date": "Mon, 01 Jan 2024 00:00:00 GMT",
        "keep-alive": "timeout=5",
        "server": "up",
        "set-cookie": "id=1",
        "strict-transport-security": "max-age=1",
        "trailer": "x",
        "transfer-encoding": "chunked",
        "via": "1.1 up",
        "x-satisfice-cost-msat": "1",
        "x-satisfice-demo": "1",
        "x-satisfice-provider": "another",
        "x-satisfice-request-id": "req_another",
    }
    body = '{"choices":[{}]}'
    stage = Stage({"acme": Script().head(200, kept | dropped).body(body)}, clock)

    caller = await stage.ask()

    assert kept == {name: caller.header(name) for name in kept}
    assert ["content-length", "x-satisfice-provider", "x-satisfice-request-id"] == [
        name for name in dropped if caller.header(name)
    ]
    assert "acme" == caller.header("x-satisfice-provider")
    assert str(len(body)) == caller.header("content-length")
    assert stage.told[0][0].request_id == caller.header("x-satisfice-request-id")


async def test_the_callers_fields_go_along_with_the_request(clock: ManualClock) -> None:
    stage = Stage({"acme": WHOLE}, clock)
    fields = ((b"anthropic-beta", b"a"), (b"anthropic-beta", b"b"), (b"x-any", b"\xff"))

    await stage.ask(headers=fields)

    assert fields == stage.transport.sent[0].sending.headers


async def test_an_unknown_price_is_a_cost_nobody_is_told(clock: ManualClock) -> None:
    """It is not nothing, and a wrong figure is worse than none."""
    stage = Stage({"acme": [WHOLE, STREAM]}, clock, offers=[an_offer(price=None)])

    whole = await stage.ask()
    assert None is whole.header("x-satisfice-cost-msat")
    assert (a_usage(), None) == (stage.seen.usage, stage.seen.cost)

    streamed = await stage.ask(wants_usage=True)
    assert b"cost_msat" not in streamed.body
    assert (a_usage(), None) == (stage.seen.usage, stage.seen.cost)


@pytest.mark.parametrize("stream", [False, True], ids=["unstreamed", "streamed"])
async def test_usage_that_was_never_said_has_no_cost(*, stream: bool, clock: ManualClock) -> None:
    script = a_stream().finish().done() if stream else Script().head(200).body('{"choices":[{}]}')
    stage = Stage({"acme": script}, clock)

    caller = await stage.ask(stream=stream)

    assert None is caller.header("x-satisfice-cost-msat")
    assert (None, None, True) == (stage.seen.usage, stage.seen.cost, stage.seen.is_complete)


async def test_a_stream_comes_piece_by_piece_and_its_terminator_with_the_end(clock: ManualClock) -> None:
    """Some clients leave at the terminator, others wait for the end: each is served best by both at once."""
    stage = Stage({"acme": STREAM}, clock)

    caller = await stage.ask(stream=True)

    assert 200 == caller.status
    assert "text/event-stream" == caller.header("content-type")
    assert "no" == caller.header("x-accel-buffering")
    assert None is caller.header("content-length")
    assert ["role: assistant", "Hello", " there", "finish: stop", "[DONE]"] == caller.events
    assert [b"data: [DONE]\n\n"] == caller.pieces[-1:]
    assert 4 == len(caller.pieces)
    assert caller.has_end
    assert stage.seen.is_complete


async def test_usage_is_always_asked_for_and_shown_to_who_asked(clock: ManualClock) -> None:
    stage = Stage({"acme": STREAM}, clock)

    silent = await stage.ask(stream=True)
    assert (a_usage(), 39) == (stage.seen.usage, stage.seen.cost)
    asking = await stage.ask(wants_usage=True)
    assert (a_usage(), 39) == (stage.seen.usage, stage.seen.cost)

    bodies = [msgspec.json.decode(sent.sending.body) for sent in stage.transport.sent]
    assert [{"include_usage": True}] * 2 == [body["stream_options"] for body in bodies]
    assert not [event for event in silent.events if event.startswith("usage")]
    assert [
        "usage: {'prompt_tokens': 19, 'completion_tokens': 10, 'total_tokens': 29, 'cost_msat': 39}",
        "[DONE]",
    ] == asking.events[-2:]
    assert None is asking.header("x-satisfice-cost-msat")


async def test_a_stream_that_comes_all_at_once_goes_out_all_at_once(clock: ManualClock) -> None:
    streamed = Script().head(200, {"content-type": "text/event-stream"}).raw(_bytes_of(STREAM))
    caller = await Stage({"acme": streamed}, clock).ask(stream=True)

    assert 1 == len(caller.pieces)
    assert ["role: assistant", "Hello", " there", "finish: stop", "[DONE]"] == caller.events


@pytest.mark.parametrize("size", [1, 7])
async def test_events_split_at_every_byte_arrive_whole(size: int, clock: ManualClock) -> None:
    stage = Stage({"acme": Script().head(200).split(size).role().say("ü 汉 🙂").finish().usage(19, 10).done()}, clock)

    caller = await stage.ask(wants_usage=True)

    assert ["role: assistant", "ü", " 汉", " 🙂", "finish: stop"] == caller.events[:5]
    assert all(piece.endswith(b"\n\n") for piece in caller.pieces)
    assert 39 == stage.seen.cost


async def test_an_event_of_ten_megabytes_arrives_whole(clock: ManualClock) -> None:
    stage = Stage({"acme": Script().head(200).big(10 << 20).done()}, clock)

    caller = await stage.ask(stream=True)

    assert (10 << 20) + len(b"data: [DONE]\n\n") == len(caller.body)
    assert "[DONE]" == caller.events[-1]
    assert stage.seen.is_complete


async def test_an_endless_event_is_the_end_of_the_stream(clock: ManualClock) -> None:
    endless = a_stream().raw(b"data: " + b"x" * 65_530).repeat(513)
    stage = Stage({"acme": endless}, clock)

    caller = await stage.ask(stream=True)

    assert "error: The stream from acme broke: larger than the limit" in caller.events[-1]
    assert len(caller.body) < 2_000
    assert [Ending.ABORTED] == stage.endings


async def test_what_is_no_output_is_held_back_until_there_is_some(clock: ManualClock) -> None:
    """So that a provider that dies over the first token can still be replaced by another."""
    stage = Stage({"acme": Script().head(200).drip(1.0).comment("PROCESSING").role().say("Hi").done()}, clock)
    caller = Caller()
    came: list[float] = []
    begun = clock.now()
    caller.on_piece = lambda: came.append(clock.now() - begun)

    await stage.ask(caller, stream=True)

    assert b": PROCESSING\n\n" in caller.pieces[0]
    assert b'"Hi"' in caller.pieces[0]
    assert [2.0, 3.0] == came


async def test_comments_between_tokens_are_handed_on(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().comment("still there").say(" you").done()}, clock)

    caller = await stage.ask(stream=True)

    assert b": still there\n\n" in caller.pieces


@pytest.mark.parametrize(("script", "detail"), _CUTS.values(), ids=_CUTS.keys())
async def test_a_stream_that_breaks_after_its_first_output_ends_with_an_error(
    script: Script, detail: str, clock: ManualClock
) -> None:
    """Too late to try elsewhere; but without a word half an answer would be taken for a whole one."""
    stage = Stage({"acme": script, "bell": STREAM}, clock, timeouts=Timeouts(idle=10.0, total=100.0))

    caller = await stage.ask(stream=True)

    assert ["acme"] == stage.tried
    assert 200 == caller.status
    assert "Hello" in caller.events
    assert f"error: The stream from acme broke: {detail}." in caller.events[-1]
    assert b"[DONE]" not in caller.body
    assert caller.has_end
    assert not stage.seen.is_complete
    assert "acme" == stage.seen.provider
    assert None is stage.seen.error


async def test_a_stream_that_breaks_after_its_usage_has_a_cost(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().usage(19, 10).cut()}, clock)

    await stage.ask(stream=True)

    assert (a_usage(), 39, False) == (stage.seen.usage, stage.seen.cost, stage.seen.is_complete)


@pytest.mark.parametrize(
    "ending", [Script.end, Script.done, Script.cut, Script.stall], ids=["end", "terminator", "cut", "silence"]
)
async def test_the_upstreams_own_error_event_is_the_last_word(
    ending: Callable[[Script], Script], clock: ManualClock
) -> None:
    script = a_stream().event('{"error":{"message":"out of memory","code":500}}')
    stage = Stage({"acme": ending(script)}, clock)

    caller = await stage.ask(stream=True)

    errors = [event for event in caller.events if event.startswith("error")]
    assert ["error: out of memory"] == errors
    assert caller.has_end
    assert not stage.seen.is_complete


async def test_an_end_without_a_terminator_is_whole_if_the_model_was_done(clock: ManualClock) -> None:
    """Some upstreams know no `[DONE]`; it isn't ours to add one."""
    stage = Stage({"acme": a_stream().finish().end()}, clock)

    caller = await stage.ask(stream=True)

    assert "finish: stop" == caller.events[-1]
    assert caller.has_end
    assert stage.seen.is_complete


async def test_a_last_event_without_its_blank_line_is_completed(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().finish().raw(b"data: [DONE]\n")}, clock)

    caller = await stage.ask(stream=True)

    assert ["finish: stop", "[DONE]"] == caller.events[-2:]
    assert stage.seen.is_complete


async def test_a_terminator_without_its_blank_line_is_the_end_even_if_the_connection_breaks(
    clock: ManualClock,
) -> None:
    stage = Stage({"acme": a_stream().finish().raw(b"data: [DONE]\n").cut()}, clock)

    caller = await stage.ask(stream=True)

    assert "[DONE]" == caller.events[-1]
    assert stage.seen.is_complete


async def test_what_comes_after_the_terminator_is_nobodys(clock: ManualClock) -> None:
    """An event behind the terminator ends the run of half the clients with an error."""
    stage = Stage({"acme": a_stream().finish().done().event('{"cost":1}').wait(3600).event("{}")}, clock)
    begun = clock.now()

    caller = await stage.ask(stream=True)

    assert "[DONE]" == caller.events[-1]
    assert begun == clock.now()
    assert [Ending.CLOSED] == stage.endings


async def test_a_slow_reader_makes_the_upstream_wait(clock: ManualClock) -> None:
    stage = Stage({"acme": STREAM}, clock)
    caller = Caller(is_slow=True)
    begun = clock.now()

    await stage.ask(caller, stream=True)

    assert ["role: assistant", "Hello", " there", "finish: stop", "[DONE]"] == caller.events
    assert begun + caller.drained == clock.now()
    assert caller.drained >= 3
    assert stage.seen.is_complete


async def test_a_bug_in_the_way_to_the_caller_stops_the_upstream(clock: ManualClock) -> None:
    stage = Stage({"acme": a_stream().wait(3600).say("so much work")}, clock)
    caller = Caller()

    def fail() -> None:
        raise RuntimeError("a bug")

    caller.on_piece = fail

    await stage.ask(caller, stream=True)

    assert [Ending.ABORTED] == stage.endings
    assert not caller.has_end
    assert not stage.seen.is_complete


async def test_errors_say_whose_fault_they_are_and_when_to_come_back(clock: ManualClock) -> None:
    stage = Stage({"acme": an_error(429, {"retry-after": "41"})}, clock)

    caller = await stage.ask()

    assert "upstream" == caller.header("x-satisfice-error-source")
    assert "41" == caller.header("retry-after")
    assert None is caller.header("x-should-retry")


async def test_clients_are_told_not_to_retry_without_funds(clock: ManualClock) -> None:
    """The official SDKs would otherwise ask again, and again."""
    stage = Stage({"acme": an_error(402)}, clock)

    caller = await stage.ask()

    assert 402 == caller.status
    assert "payment" == caller.header("x-satisfice-error-source")
    assert "false" == caller.header("x-should-retry")
    assert None is caller.header("retry-after")


def _bytes_of(script: Script) -> bytes:
    return b"".join(beat.news for beat in timetable(script, Script) if isinstance(beat.news, bytes))
