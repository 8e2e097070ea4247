"""The watch over a stream: what callers get of every stream of the corpus, and what holds for any stream at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.amounts import Msat, Usage
from satisfice.core.errors import Broken
from satisfice.wire.observer import Observation, StreamObserver
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.sse import MAX_EVENT
from tests.build import a_price, a_request, a_usage
from tests.wire.corpus import Case, cases, said, shown
from tests.wire.pieces import cut, ways_to_cut

_PRICE = a_price()
_STREAMS = cases("streams")
_DONE = b"data: [DONE]\n\n"

_ROLE = b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
_HELLO = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
_STOP = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
_USAGE = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10}}\n\n'
_ERROR = b'data: {"error":{"message":"Overloaded","code":503}}\n\n'
_COMMENT = b": keep-alive\n\n"

_CONTENT = st.sampled_from(["a", "ä 😀", "prompt_tokens", "[DONE]", "\n\ndata: [DONE]\n\n", '"error"'])
_OUTPUTS = st.one_of(
    st.just(_HELLO),
    _CONTENT.map(lambda text: b"data: " + msgspec.json.encode({"choices": [{"delta": {"content": text}}]}) + b"\n\n"),
    st.just(b'event: x\nid: 7\ndata: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}],"x":1e400}\n\n'),
)
_SILENT = st.sampled_from([_ROLE, _COMMENT, b"\n\n", b'data: {"choices":[],"prompt_filter_results":[]}\n\n'])
_TAIL = st.lists(st.one_of(_OUTPUTS, _SILENT, st.just(_USAGE)), max_size=6)


class _Seen(NamedTuple):
    """What a caller gets of a stream, what the stream was, and what it says it took."""

    out: bytes
    end: str
    observation: Observation
    charged: Msat | None


@pytest.mark.parametrize("case", _STREAMS, ids=shown)
@pytest.mark.parametrize("asks", ["asked", "unasked"])
def test_callers_get_what_is_theirs(case: Case, asks: str) -> None:
    seen = _watch([case.given], wants_usage=asks == "asked")

    assert _fact(case, "end") == seen.end
    assert _fact(case, "usage") == said(seen.observation.usage)
    assert _fact(case, "charged", "None") == str(seen.charged)
    if seen.end.split()[0] in {"complete", "incomplete", "failed"}:
        assert _expected(case, asks) == seen.out
    else:
        assert b"" == seen.out


@pytest.mark.parametrize("case", _STREAMS, ids=shown)
@pytest.mark.parametrize("asks", ["asked", "unasked"])
def test_the_pieces_in_which_a_stream_comes_make_no_difference(case: Case, asks: str) -> None:
    seen = _watch([case.given], wants_usage=asks == "asked")

    for pieces in ways_to_cut(case.given):
        assert seen == _watch(pieces, wants_usage=asks == "asked")


@given(st.data(), st.sampled_from(_STREAMS))
def test_any_chunking_gives_callers_the_same(data: st.DataObject, case: Case) -> None:
    pieces = data.draw(cut(case.given))

    assert _watch([case.given]) == _watch(pieces)
    assert _watch([case.given], wants_usage=True) == _watch(pieces, wants_usage=True)


@pytest.mark.parametrize("case", _STREAMS, ids=shown)
def test_line_ends_of_another_kind_change_nothing_but_themselves(case: Case) -> None:
    plain = _watch([case.given])
    other = _watch([case.given.replace(b"\n", b"\r\n")])

    assert (plain.end, plain.observation.usage) == (other.end, other.observation.usage)
    assert plain.out == other.out.replace(b"\r\n", b"\n")


@given(st.data(), st.lists(_SILENT, max_size=3), _OUTPUTS, _TAIL)
def test_exactly_the_bytes_that_came_go_out_when_nothing_has_to_change(
    data: st.DataObject, before: list[bytes], first: bytes, after: list[bytes]
) -> None:
    """Whoever asked for usage gets it as it came if no cost can be told."""
    stream = b"".join([*before, first, *after, _DONE])

    assert stream == _watch(data.draw(cut(stream)), wants_usage=True, cost=lambda _: None).out


@given(st.data(), st.lists(_SILENT | st.just(_USAGE), max_size=3), _OUTPUTS, _TAIL)
def test_the_usage_event_is_out_for_callers_who_did_not_ask(
    data: st.DataObject, before: list[bytes], first: bytes, after: list[bytes]
) -> None:
    events = [*before, first, *after, _DONE]

    seen = _watch(data.draw(cut(b"".join(events))), wants_usage=False)

    assert b"".join(event for event in events if event != _USAGE) == seen.out
    assert (a_usage() if _USAGE in events else None) == seen.observation.usage


@given(st.data(), st.lists(_SILENT | st.just(_USAGE), max_size=3), _OUTPUTS, _TAIL)
def test_the_cost_is_in_the_usage_for_callers_who_did_ask(
    data: st.DataObject, before: list[bytes], first: bytes, after: list[bytes]
) -> None:
    stream = b"".join([*before, first, *after, _DONE])

    seen = _watch(data.draw(cut(stream)), wants_usage=True)

    assert stream.replace(b'"completion_tokens":10', b'"completion_tokens":10,"cost_msat":39') == seen.out


@given(st.data(), _TAIL, st.lists(st.one_of(_OUTPUTS, _SILENT, st.just(_USAGE), st.just(_DONE)), min_size=1))
def test_nothing_comes_after_the_terminator(data: st.DataObject, before: list[bytes], after: list[bytes]) -> None:
    """Clients built on the AI SDK end the run with an error over it."""
    stream = b"".join([_HELLO, *before, _DONE])
    observer = _observer(wants_usage=True, cost=lambda _: None)

    out = b"".join(map(observer.feed, data.draw(cut(stream + b"".join(after)))))

    assert stream == out + observer.finish().rest
    assert observer.is_over


@given(st.data(), st.lists(st.one_of(_SILENT, st.just(_USAGE)), max_size=5), _OUTPUTS)
def test_nothing_goes_out_before_the_first_real_output(data: st.DataObject, before: list[bytes], first: bytes) -> None:
    """Until then nothing is committed, and another offer can still be tried."""
    stream = b"".join([*before, first])
    observer = _observer()

    for piece in data.draw(cut(stream[:-1])):
        assert b"" == observer.feed(piece)
    assert not observer.has_output

    assert observer.feed(stream[-1:]).endswith(first)
    assert observer.has_output


@given(st.data(), _TAIL)
def test_only_whole_events_go_out(data: st.DataObject, tail: list[bytes]) -> None:
    """A stream that is cut inside an event can still be ended with a clean one."""
    events = [_ROLE, _HELLO, *tail, _STOP, _DONE]
    ends = {len(b"".join(events[:count])) for count in range(len(events) + 1)}
    observer = _observer(wants_usage=True, cost=lambda _: None)
    out = b""

    for piece in data.draw(cut(b"".join(events))):
        out += observer.feed(piece)
        assert len(out) in ends


@given(st.data(), _TAIL)
def test_a_stream_cut_anywhere_is_complete_only_if_the_model_was_done(data: st.DataObject, tail: list[bytes]) -> None:
    talk = b"".join([_ROLE, _HELLO, *tail])
    stream = talk + _STOP + _USAGE + _DONE
    place = data.draw(st.integers(len(_ROLE + _HELLO), len(stream)))

    seen = _watch(data.draw(cut(stream[:place])))

    # An event that lacks its blank line alone is whole.
    assert ("complete" if place >= len(talk + _STOP) - 2 else "incomplete") == seen.end


@pytest.mark.parametrize("end", [b"", _DONE, _COMMENT, _COMMENT + _DONE], ids=["cut", "done", "comment", "both"])
@pytest.mark.parametrize("pieces", [1, 2, 3], ids=["in one piece", "in two", "in three"])
def test_an_error_in_mid_stream_is_handed_on_and_never_taken_for_an_end(pieces: int, end: bytes) -> None:
    """Some servers write their terminator even behind an error."""
    stream = [_ROLE + _HELLO, _HELLO + _HELLO, _ERROR, *([end] if end else [])]
    joined = [b"".join(stream)] if pieces == 1 else [stream[0], b"".join(stream[1:])] if pieces == 2 else stream

    seen = _watch(joined)

    assert "failed" == seen.end
    assert b"".join(stream) == seen.out
    assert not seen.observation.is_complete


def test_an_error_before_the_first_output_is_kept_for_us() -> None:
    observer = _observer()

    assert b"" == observer.feed(_ROLE + _ERROR + _HELLO + _DONE)
    assert observer.error is not None
    assert (503, _ERROR[6:-2]) == (observer.error.error_status, observer.error.body)
    assert not observer.has_output


def test_one_of_two_choices_being_done_does_not_complete_the_answer() -> None:
    """The other may have been cut in the middle."""
    observer = StreamObserver(OpenAIChat(), a_request(stream=True, choices=2), cost=_PRICE.cost)
    observer.feed(_HELLO + _STOP)

    assert not observer.finish().is_complete


def test_the_finish_reason_is_seen_among_many_events_that_passed_in_one_piece() -> None:
    assert "complete" == _watch([_ROLE + _HELLO, _HELLO * 50 + _STOP]).end


def test_a_finish_reason_with_the_usage_behind_it_needs_no_terminator() -> None:
    assert "complete" == _watch([_ROLE + _HELLO, _STOP, _USAGE, _COMMENT]).end


def test_a_finish_reason_counts_though_other_events_follow_it() -> None:
    """Azure's filters say last what they think of the text."""
    filtered = b'data: {"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{}}]}\n\n'

    assert "complete" == _watch([_HELLO, _STOP, filtered]).end


def test_an_event_without_its_blank_line_is_completed_only_while_the_answer_flows() -> None:
    early, late = _observer(), _observer()
    early.feed(_ROLE + _HELLO[:-1])
    late.feed(_HELLO + _DONE + _HELLO[:-1])

    assert b"" == early.finish().rest
    assert b"" == late.finish().rest


def test_usage_stays_as_it_came_if_no_cost_can_be_told() -> None:
    seen = _watch([_HELLO, _USAGE, _DONE], wants_usage=True, cost=lambda _: None)

    assert _HELLO + _USAGE + _DONE == seen.out
    assert a_usage() == seen.observation.usage


def test_a_usage_event_keeps_its_type() -> None:
    seen = _watch([_HELLO, b"event: usage\n" + _USAGE, _DONE], wants_usage=True)

    assert b"event: usage\ndata: " in seen.out


def test_preamble_without_end_breaks_the_stream() -> None:
    """It is held back, so it must not fill the memory."""
    observer = _observer()
    comment = b":" + b" " * (MAX_EVENT // 4) + b"\n\n"
    for _ in range(3):
        assert b"" == observer.feed(comment)

    with pytest.raises(Broken, match="larger than the limit: more preamble than any answer has"):
        observer.feed(comment)


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([_HELLO, _USAGE, _DONE, _ERROR, b"\n", b"\r"]))))
def test_any_bytes_are_watched_or_broken(pieces: list[bytes]) -> None:
    observer = _observer(wants_usage=True)
    try:
        out = b"".join(map(observer.feed, pieces))
    except Broken:
        return
    assert observer.has_output or out == b""
    observer.finish()


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([_HELLO, _USAGE, _ERROR, b"\n", b"\r"]))))
def test_after_the_first_output_nothing_breaks_the_stream(pieces: list[bytes]) -> None:
    """It would be too late to try elsewhere."""
    observer = _observer(wants_usage=True)
    observer.feed(_HELLO)
    for piece in pieces:
        observer.feed(piece)

    observer.finish()


def _observer(*, wants_usage: bool = False, cost: Callable[[Usage], Msat | None] = _PRICE.cost) -> StreamObserver:
    return StreamObserver(OpenAIChat(), a_request(stream=True, wants_usage=wants_usage), cost=cost)


def _watch(
    pieces: Iterable[bytes], *, wants_usage: bool = False, cost: Callable[[Usage], Msat | None] = _PRICE.cost
) -> _Seen:
    """Read a stream to its end as a driver does, which stops at an error nobody has seen yet."""
    observer = _observer(wants_usage=wants_usage, cost=cost)
    out = b""
    try:
        for piece in pieces:
            out += observer.feed(piece)
    except Broken as news:
        return _Seen(out, f"broken: {news}", observer.finish(), observer.charged)
    observation = observer.finish()
    if observer.error is not None and not observer.has_output:
        return _Seen(out, f"refused {observer.error.error_status}", observation, observer.charged)
    complete = "complete" if observation.is_complete else "incomplete"
    end = "failed" if observation.has_failed else complete
    return _Seen(out + observation.rest, end, observation, observer.charged)


def _fact(case: Case, name: str, default: str = "") -> str:
    facts = (line.removeprefix(f"{name}: ") for line in case.expected if line.startswith(f"{name}: "))
    return next(facts, default)


def _expected(case: Case, asks: str) -> bytes:
    """The stream with the events that are to be other ones."""
    events = [event + b"\n\n" for event in case.given.rstrip(b"\n").split(b"\n\n")]
    for number, event in _changes(case.expected, asks):
        events[number - 1] = b"" if event == "-" else event.replace("¶", "\n").encode() + b"\n\n"
    return b"".join(events)


def _changes(expected: Sequence[str], asks: str) -> Iterable[tuple[int, str]]:
    for line in expected:
        place, _, event = line.partition(": ")
        if place.startswith(f"{asks} "):
            yield int(place.removeprefix(f"{asks} ")), event


def test_comments_of_their_own_do_not_hide_that_the_model_was_done() -> None:
    seen = _watch([_HELLO, _STOP, b": ping\n\n", b": ping\n\n", b": ping\n\n"])

    assert seen.observation.is_complete


def test_a_comment_between_an_error_and_the_terminator_does_not_hide_the_error() -> None:
    seen = _watch([_HELLO, b'data: {"error":{"message":"no"}}\n\n', b": x\n\n", _DONE])

    assert seen.observation.has_failed
    assert not seen.observation.is_complete
