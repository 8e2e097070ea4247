"""A body keeps what it doesn't replace, and refuses what it can't read, saying what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.errors import BadRequest
from satisfice.wire.body import MAX_DEPTH, Body
from tests.wire.json_text import members, object_text, values


@given(st.data(), members)
def test_every_value_keeps_its_bytes_and_its_place(data: st.DataObject, given_members: list[tuple[str, str]]) -> None:
    once = Body(data.draw(object_text(given_members))).encode()

    assert _written(given_members) == once
    assert once == Body(once).encode()


@given(st.data(), members, values)
def test_only_what_is_replaced_changes(data: st.DataObject, given_members: list[tuple[str, str]], new: str) -> None:
    key = data.draw(st.sampled_from([key for key, _ in given_members] or ["k"]) | st.text(max_size=2))
    body = Body(data.draw(object_text(given_members)))

    expected = _written((dict(given_members) | {key: new}).items())  # a dict keeps the place of a key, too

    assert expected == body.encode({key: new.encode()})


@given(st.data(), members)
def test_a_value_is_found_by_its_key_as_it_came(data: st.DataObject, given_members: list[tuple[str, str]]) -> None:
    body = Body(data.draw(object_text(given_members)))

    assert {key: value.encode() for key, value in given_members} == {
        key: bytes(found) for key, _ in given_members if (found := body.get(key)) is not None
    }
    assert body.get("five!") is None


def test_its_size_is_that_of_the_text_it_came_as() -> None:
    assert 12 == Body(b'{ "a" : 1 } ').size


def test_of_a_key_given_twice_the_last_value_counts() -> None:
    """Or one reader would see the first and another the last, and a limit could be smuggled past the first."""
    body = Body(b'{"n":1,"a":0,"\\u006e":2}')

    assert b"2" == bytes(body.get("n") or b"")
    assert b'{"n":2,"a":0}' == body.encode()


@given(values, st.integers(1, 3 * MAX_DEPTH))
def test_a_body_is_refused_exactly_when_it_is_too_deep(value: str, wraps: int) -> None:
    raw = f'{{"a":{_wrapped(value, wraps)}}}'.encode()

    # The innermost wrap has brackets beside the value, which are a level even where the value is none.
    assert (1 + wraps + max(1, _levels(json.loads(value))) <= MAX_DEPTH) is _is_accepted(raw)


@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1])
@pytest.mark.parametrize("text", ["", "\\n", "\\\\", '\\"', "]]]]", "[[[[", "{}", '\\\\\\"', "\\n\\\\", "\\u005d"])
@pytest.mark.parametrize("opened", ["[", '{"b":'])
@pytest.mark.parametrize("beside", [0, 99])
def test_depth_is_counted_outside_of_texts_only(levels: int, text: str, opened: str, beside: int) -> None:
    """However the texts end, and whether there are few brackets, which proves it quickly, or many."""
    closed = "]" if opened == "[" else "}"
    nest = opened * (levels - 1) + "0" + closed * (levels - 1)
    raw = f'{{"x":"{text}","a":{nest},"z":"{text}","w":[{",".join(["[]"] * beside)}]}}'

    assert (levels <= MAX_DEPTH) is _is_accepted(raw.encode())


@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_a_body_too_deep_to_be_parsed_at_all_is_refused_like_any_other(opened: str) -> None:
    with pytest.raises(BadRequest, match="nested more than 64 levels") as refused:
        Body(b'{"a":' + opened.encode() * 100_000)

    assert "Flatten the JSON." == refused.value.hint


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The body is not JSON: Input data was truncated."),
        (b"{", "The body is not JSON: Input data was truncated."),
        (b'{"a":1}}', "The body is not JSON: trailing characters (byte 8)."),
        (b'{"a":NaN}', "The body is not JSON: invalid character (byte 5)."),
        (b'{"a":01}', "The body is not JSON: invalid number (byte 6)."),
        (b'{"a":[1,]}', "The body is not JSON: trailing comma in array (byte 8)."),
        (b'{"a":"\x01"}', "The body is not JSON: invalid character (byte 6)."),
        (b"\xef\xbb\xbf{}", "The body is not JSON: invalid character (byte 0)."),
        (b'{"a":"\xff"}', "The body is not valid UTF-8 at byte 6."),
        (b'{"\xc3":1}', "The body is not valid UTF-8 at byte 2."),
        (b'{"a":"\xf4\x90\x80\x80"}', "The body is not valid UTF-8 at byte 6."),
        (b"[]", "The body is not a JSON object."),
        (b"null", "The body is not a JSON object."),
        (b"12", "The body is not a JSON object."),
        (b'"a"', "The body is not a JSON object."),
    ],
    ids=range(15),
)
def test_what_is_wrong_is_said_with_its_place_and_a_way_out(raw: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        Body(raw)

    assert message == refused.value.message
    assert refused.value.hint != BadRequest.hint
    assert refused.value.param is None


@given(st.binary(max_size=40))
def test_any_bytes_are_a_body_or_a_bad_request(raw: bytes) -> None:
    try:
        Body(raw).encode()
    except BadRequest:
        return
    assert isinstance(json.loads(raw), dict)


def _written(of: Iterable[tuple[str, str]]) -> bytes:
    """Members as we write them: nothing between them but what JSON wants there."""
    return b"{%b}" % b",".join(msgspec.json.encode(key) + b":" + value.encode() for key, value in of)


def _is_accepted(raw: bytes) -> bool:
    try:
        Body(raw)
    except BadRequest as error:
        return "nested more than 64 levels" not in error.message
    return True


def _wrapped(value: str, wraps: int) -> str:
    """The value within so many arrays and objects, in turn, each with many brackets beside it."""
    for level in range(wraps):
        value = f"[{value},[],{{}}]" if level % 2 else f'{{"a":{value},"b":[]}}'
    return value


def _levels(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(_levels, value.values()), default=0)
        case list():
            return 1 + max(map(_levels, value), default=0)
        case _:
            return 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (rb'"cut \ud83d"', rb'"cut \ufffd"'),
        (rb'"\ude00 alone"', rb'"\ufffd alone"'),
        (rb'"whole \ud83d\ude00, cut \ud83d."', rb'"whole \ud83d\ude00, cut \ufffd."'),
        (rb'"no escape: \\ud83d, cut \ud83d"', rb'"no escape: \\ud83d, cut \ufffd"'),
    ],
)
def test_half_a_character_is_replaced_and_all_else_stays(sent: bytes, kept: bytes) -> None:
    """JavaScript writes it when a text is cut inside an emoji; RFC 8259 lets it."""
    assert b'{"a":%b,"b":1e400}' % kept == Body(b'{"a": %b, "b": 1e400}' % sent).encode()
