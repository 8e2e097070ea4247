"""A script's timetable: every step turns into the right beat at the right time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.errors import Break
from satisfice.transport.script import Head, Script
from satisfice.transport.timetable import Beat, timetable

_SSE = ((b"content-type", b"text/event-stream"),)
_JSON = ((b"content-type", b"application/json"),)
_END = Beat(0.0, b"")


def _beats(script: Script, demo: Script | None = None) -> list[Beat]:
    return list(timetable(script, lambda: demo or Script()))


def _news(script: Script, demo: Script | None = None) -> list[object]:
    return [beat.news for beat in _beats(script, demo)]


def test_steps_become_bytes() -> None:
    script = Script().head(200).event("{}").event("a\nb").comment("hm").comment("a\r\nb").raw(b"\xff").body("x")

    assert [
        Head(200, _SSE),
        b"data: {}\n\n",
        b"data: a\ndata: b\n\n",
        b": hm\n\n",
        b": a\n: b\n\n",
        b"\xff",
        b"x",
        b"",
    ] == _news(script)


def test_a_content_type_that_is_not_given_follows_from_the_body() -> None:
    assert Head(200, _SSE) == _news(Script().head(200).wait(1).comment("hm"))[0]
    assert Head(500, ((b"retry-after", b"1"), *_JSON)) == _news(Script().head(500, {"retry-after": "1"}).body("{}"))[0]
    assert Head(200) == _news(Script().head(200).raw(b"x").body("{}"))[0]
    assert Head(204) == _news(Script().head(204))[0]
    assert (
        Head(502, ((b"content-type", b"text/html"),))
        == _news(Script().head(502, {"content-type": "text/html"}).body("<p>"))[0]
    )


def test_waits_add_up_and_also_delay_the_end() -> None:
    script = Script().wait(1).wait(2).head(200).wait(3).raw(b"a").raw(b"b").wait(4)

    assert [Beat(3.0, Head(200)), Beat(3.0, b"a"), Beat(0.0, b"b"), Beat(4.0, b"")] == _beats(script)


def test_a_drip_lies_between_two_pieces_only() -> None:
    script = Script().head(200).drip(0.5).raw(b"a").raw(b"b").wait(1).raw(b"c").drip(0).raw(b"d")

    assert [Beat(0.0, b"a"), Beat(0.5, b"b"), Beat(1.5, b"c"), Beat(0.0, b"d"), _END] == _beats(script)[1:]


def test_a_split_cuts_what_follows_and_drips_between_the_parts() -> None:
    script = Script().head(200).raw(b"abc").split(2).drip(1).raw(b"abc").split(0).raw(b"abc")

    assert [Beat(0.0, b"abc"), Beat(1.0, b"ab"), Beat(1.0, b"c"), Beat(1.0, b"abc"), _END] == _beats(script)[1:]


def test_no_piece_is_larger_than_one_read_of_a_socket() -> None:
    pieces = _news(Script().head(200).raw(b"x" * 100_000))

    assert [65_536, 34_464, 0] == [len(piece) for piece in pieces if isinstance(piece, bytes)]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_split_carries_the_same_bytes(data: bytes, size: int) -> None:
    pieces = _news(Script().split(size).head(200).raw(data))[1:]

    assert data == b"".join(piece for piece in pieces if isinstance(piece, bytes))
    assert b"" not in pieces[:-1]


def test_a_piece_is_repeated() -> None:
    assert [b"a", b"b", b"b", b"b", b"c", b""] == _news(Script().head(200).raw(b"a").raw(b"b").repeat(2).raw(b"c"))[1:]


@pytest.mark.parametrize("kind", [Break.REFUSED, Break.TLS, Break.CUT])
def test_a_fault_is_the_last_beat(kind: Break) -> None:
    assert [Beat(1.0, kind)] == _beats(Script().wait(1).fault(kind))


def test_a_connect_timeout_and_a_stall_never_come_by_themselves() -> None:
    assert [Beat(math.inf, Break.CONNECT_TIMEOUT)] == _beats(Script().fault(Break.CONNECT_TIMEOUT))
    assert [Beat(math.inf, b"")] == _beats(Script().stall())


def test_the_demo_models_answer_is_played_to_its_end() -> None:
    demo = Script().wait(1).head(200).event("1").event("2")

    assert [b"data: 1\n\n", b"data: 2\n\n", b""] == _news(Script().answer(), demo)[1:]


def test_only_some_events_of_the_demo_models_answer_are_played_and_the_script_goes_on() -> None:
    demo = Script().wait(1).head(200).event("1").event("2").event("3")

    assert [
        Beat(1.0, Head(200, _SSE)),
        Beat(0.0, b"data: 1\n\n"),
        Beat(0.0, b"data: 2\n\n"),
        Beat(0.0, Break.CUT),
    ] == _beats(Script().answer(2).cut(), demo)


def test_a_demo_answer_shorter_than_asked_for_is_played_whole() -> None:
    assert [b"{}", Break.CUT] == _news(Script().answer(5).cut(), Script().head(200).body("{}"))[1:]


def test_nothing_after_an_end_is_played() -> None:
    """The demo's answer may end itself in the middle of a script."""
    assert [b"a", b""] == _news(Script().head(200).raw(b"a").end())[1:]
