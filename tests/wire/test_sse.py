"""Server-sent events: as the standard reads them, however the bytes come, and with the bytes kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.errors import Broken
from satisfice.wire.sse import MAX_EVENT, ServerSentEvent, SSEDecoder, encode
from tests.wire.pieces import cut

_FIELDS = (b"data: a", b"data:b", b"data:  c", b"data", b"data:", b"event: x", b"event:", b"id: 1", b": comment")
_ODD = (b":", b"dat", b" data: e", b"data: \xff", b"\xef\xbb\xbfdata: d", "data: ä😀".encode())
_LINES = st.sampled_from((*_FIELDS, *_ODD, b"", b"", b"", b""))
_LINE_ENDS = st.sampled_from((b"\n", b"\n", b"\r\n", b"\r"))
_STREAMS = st.tuples(
    st.sampled_from((b"", b"\xef\xbb\xbf")),
    st.lists(st.tuples(_LINES, _LINE_ENDS).map(b"".join), max_size=20).map(b"".join),
    st.sampled_from((b"", b"data: cut")),
).map(b"".join)


@given(st.data(), _STREAMS)
def test_any_chunking_of_a_stream_gives_the_same_events(data: st.DataObject, stream: bytes) -> None:
    assert _all(stream) == _all(*data.draw(cut(stream)))


@given(_STREAMS)
def test_events_have_the_type_and_data_that_the_standard_says(stream: bytes) -> None:
    """The event that has no blank line is the last of them, and for its reader to take or to drop."""
    dispatched = [(event.event, event.data) for event in _all(stream) if event.data is not None]

    assert list(_by_the_standard(stream + b"\n\n")) == dispatched


@given(st.data(), _STREAMS)
def test_the_bytes_of_the_events_are_the_bytes_of_the_stream(data: st.DataObject, stream: bytes) -> None:
    decoder = SSEDecoder()
    whole = b"".join(event.raw for piece in data.draw(cut(stream)) for event in decoder.feed(piece))
    rest = decoder.finish()

    kept = b"" if rest is None else rest.raw.removesuffix(b"\n\n")
    assert stream.rstrip(b"\r\n") == (whole + kept).rstrip(b"\r\n")
    assert stream.startswith(whole + kept)


@given(st.data(), _STREAMS)
def test_it_is_empty_exactly_when_all_bytes_have_come_out(data: st.DataObject, stream: bytes) -> None:
    decoder = SSEDecoder()
    left = b""
    for piece in data.draw(cut(stream)):
        left += piece
        left = left.removeprefix(b"".join(event.raw for event in decoder.feed(piece)))

        assert (not left) is decoder.is_empty


def test_an_event_is_out_with_its_blank_line_and_not_before() -> None:
    decoder = SSEDecoder()

    assert [] == decoder.feed(b"event: x\ndata: a\n")
    assert [ServerSentEvent(b"event: x\ndata: a\n\n", b"x", b"a")] == decoder.feed(b"\n")


def test_a_return_waits_for_the_line_feed_that_may_belong_to_it() -> None:
    """Or the line feed would open the next event, and cutting a stream there would change its bytes."""
    decoder = SSEDecoder()

    assert [] == decoder.feed(b"data: a\r\n\r")
    assert [ServerSentEvent(b"data: a\r\n\r\n", b"", b"a")] == decoder.feed(b"\n")


def test_a_stream_with_returns_alone_loses_nothing() -> None:
    decoder = SSEDecoder()

    assert [b"a"] == [event.data for event in decoder.feed(b"data: a\r\rdata: b\r\r")]
    assert ServerSentEvent(b"data: b\n\n", b"", b"b") == decoder.finish()


def test_a_byte_order_mark_is_skipped_at_the_beginning_only() -> None:
    bom = b"\xef\xbb\xbf"

    assert [b"a", None] == [event.data for event in _all(bom + b"data: a\n\n" + bom + b"data: b\n\n")]


def test_a_comment_is_an_event_without_data() -> None:
    assert [ServerSentEvent(b": OPENROUTER PROCESSING\n\n", b"", None)] == _all(b": OPENROUTER PROCESSING\n\n")


@pytest.mark.parametrize("rest", [b"data: a", b"data: a\n", b"data: a\r\n", b"data: a\r", b"data: a\r\r"])
def test_an_unfinished_event_can_be_completed(rest: bytes) -> None:
    decoder = SSEDecoder()
    decoder.feed(rest)

    assert ServerSentEvent(b"data: a\n\n", b"", b"a") == decoder.finish()
    assert decoder.is_empty


@pytest.mark.parametrize("stream", [b"", b"data: a\n\n", b"data: a\n\n\n"])
def test_nothing_unfinished_is_nothing_to_complete(stream: bytes) -> None:
    decoder = SSEDecoder()
    decoder.feed(stream)

    assert decoder.finish() is None


def test_an_event_that_grows_beyond_all_measure_breaks_the_stream() -> None:
    """An upstream must not be able to fill the memory."""
    megabyte = b"data: " + b"x" * (1 << 20)
    decoder = SSEDecoder()
    for _ in range(MAX_EVENT // len(megabyte)):
        decoder.feed(megabyte)

    with pytest.raises(Broken, match="larger than the limit: an event of more than 33554432 bytes"):
        decoder.feed(megabyte)


def test_an_event_that_is_too_large_at_once_breaks_the_stream_too() -> None:
    with pytest.raises(Broken, match="larger than the limit"):
        SSEDecoder().feed(bytes(MAX_EVENT + 1))


@given(st.binary(max_size=20), st.sampled_from([b"", b"error"]))
def test_what_is_encoded_decodes_to_the_same_data_with_plain_line_ends(data: bytes, event: bytes) -> None:
    (decoded,) = SSEDecoder().feed(encode(data, event))

    assert (event, data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")) == (decoded.event, decoded.data)


def test_an_event_is_written_with_its_type_first() -> None:
    assert b"event: error\ndata: {\ndata: }\n\n" == encode(b"{\n}", b"error")


def _all(*pieces: bytes) -> list[ServerSentEvent]:
    """All events, the last completed."""
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    last = decoder.finish()
    return events if last is None else [*events, last]


def _by_the_standard(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Event types and data, by the letter of https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    event, data = b"", b""
    for line in text.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if not line:
            if data:
                yield event, data[:-1]
            event, data = b"", b""
        elif field == b"event":
            event = value
        elif field == b"data":
            data += value + b"\n"
