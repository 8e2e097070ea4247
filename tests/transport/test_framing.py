"""Heads in doubt, and heads that aren't."""

from __future__ import annotations

import pytest

from satisfice.core.errors import Break, Broken
from satisfice.transport.framing import MAX_FIELDS, check_interim, ends_with_connection, fields


def _head(*lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "".join(f"{line}\r\n" for line in (status, *lines)).encode()


def _break(head: bytes, status: int = 200) -> Break:
    with pytest.raises(Broken) as caught:
        ends_with_connection(status, head, is_delimited=True)
    return caught.value.kind


def test_a_body_without_another_end_ends_with_the_connection() -> None:
    assert ends_with_connection(200, _head(), is_delimited=False)
    assert ends_with_connection(200, _head("Content-Encoding: identity"), is_delimited=False)


@pytest.mark.parametrize("line", ["Content-Length: 5", "content-length:5", "Transfer-Encoding: chunked"])
def test_a_length_or_chunks_end_a_body_even_if_the_connection_closes_after_it(line: str) -> None:
    assert not ends_with_connection(200, _head("Connection: close", line), is_delimited=False)
    assert not ends_with_connection(200, _head(line), is_delimited=True)


@pytest.mark.parametrize("status", [204, 304])
def test_where_no_body_can_be_none_ends_with_the_connection(status: int) -> None:
    assert not ends_with_connection(status, _head("Connection: close"), is_delimited=False)


@pytest.mark.parametrize(
    "lines",
    [
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked, gzip"],
        ["Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip", "TRANSFER-ENCODING: chunked"],
        ["Content-Encoding: gzip"],
        ["Content-Encoding: identity", "content-encoding:br"],
    ],
    ids=" and ".join,
)
def test_codings_that_were_not_asked_for_or_hide_the_end_are_refused(lines: list[str]) -> None:
    assert Break.MALFORMED is _break(_head(*lines))


def test_chunks_are_refused_in_a_message_of_http_1_0() -> None:
    assert Break.MALFORMED is _break(_head("Transfer-Encoding: chunked", status="HTTP/1.0 200 OK"))


@pytest.mark.parametrize("line", ["HTTP/2.0 200 OK", "RTSP/1.0 200 OK", "ICE/1.0 200 OK", "\r\nHTTP/1.1 200 OK"])
def test_what_does_not_begin_as_http_is_refused(line: str) -> None:
    """The parser knows related protocols and skips empty lines."""
    assert Break.MALFORMED is _break(_head(status=line))


@pytest.mark.parametrize("status", [0, 99, 600, 999])
def test_a_status_of_no_class_is_refused(status: int) -> None:
    assert Break.MALFORMED is _break(_head(status=f"HTTP/1.1 {status:03} Odd"), status)


def test_a_head_has_a_limited_number_of_fields() -> None:
    most = _head(*["a: b"] * (MAX_FIELDS - 1))

    assert not ends_with_connection(200, most, is_delimited=True)
    assert Break.TOO_LARGE is _break(most + b"a: b\r\n")


def test_a_name_within_a_value_is_not_a_field() -> None:
    assert not ends_with_connection(
        200, _head("X: content-encoding: gzip", "X-Transfer-Encoding: gzip"), is_delimited=True
    )


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_may_have_fields(status: int) -> None:
    check_interim(status, _head("Link: </a>", status=f"HTTP/1.1 {status} Soon"))


@pytest.mark.parametrize(
    ("status", "line"), [(101, "Upgrade: x"), (100, "Content-Length: 1"), (103, "transfer-encoding: chunked")]
)
def test_an_interim_answer_has_no_body_and_changes_no_protocol(status: int, line: str) -> None:
    with pytest.raises(Broken, match="malformed"):
        check_interim(status, _head(line, status=f"HTTP/1.1 {status} Odd"))


def test_fields_have_names_in_lower_case_and_values_without_space_around() -> None:
    head = _head("Set-Cookie: a", "SET-cookie:\t b: c \t", "x-empty:", "content-length: 0")

    assert [
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b: c"),
        (b"x-empty", b""),
        (b"content-length", b"0"),
    ] == fields(head)
