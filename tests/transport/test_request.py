"""What goes out, byte by byte."""

from __future__ import annotations

import pytest

from satisfice.core.errors import Break, Broken
from satisfice.core.secrets import Secret
from satisfice.ports import Sending
from satisfice.transport.request import RequestHead


def _written(sending: Sending, key: Secret | None = None) -> list[bytes]:
    head = RequestHead(authority="api.test", base="/v1", key=key).write(sending)
    assert head.endswith(b"\r\n\r\n")
    return head.split(b"\r\n")[:-2]


def test_a_post_says_what_it_brings() -> None:
    line, *fields = _written(Sending("/chat/completions", b"{}"), Secret("sk-1"))

    assert b"POST /v1/chat/completions HTTP/1.1" == line
    assert {
        b"Host: api.test",
        b"Accept-Encoding: identity",
        b"Authorization: Bearer sk-1",
        b"Content-Type: application/json",
        b"Content-Length: 2",
    } < set(fields)


def test_a_get_brings_nothing() -> None:
    line, *fields = _written(Sending("/models", b"", method="GET"))

    assert b"GET /v1/models HTTP/1.1" == line
    assert [b"Host", b"User-Agent", b"Accept-Encoding"] == [field.split(b":")[0] for field in fields]


def test_fields_are_handed_on_but_those_of_the_connection_are_ours() -> None:
    sending = Sending(
        "/x",
        b"{}",
        headers=(
            (b"x-a", b"1"),
            (b"host", b"evil"),
            (b"content-length", b"9"),
            (b"authorization", b"no"),
            (b"x-b", b""),
        ),
    )
    fields = _written(sending)

    assert [b"x-a: 1", b"x-b: ", b"Content-Length: 2"] == fields[-3:]
    assert not any(b"evil" in field or b"no" == field[-2:] or field.endswith(b": 9") for field in fields)


@pytest.mark.parametrize("value", [b"a\r\nx: b", b"a\nb", b"a\rb", b"a\0b"])
def test_a_line_break_in_a_field_is_refused(value: bytes) -> None:
    assert Break.MALFORMED is _break(Sending("/x", b"", headers=((b"x-a", value),)))


@pytest.mark.parametrize("path", ["/a b", "/a\r\nb", "/ä", "/a\0"])
def test_a_path_that_would_break_the_line_is_refused(path: str) -> None:
    assert Break.MALFORMED is _break(Sending(path, b""))


def test_a_key_with_a_line_break_is_refused_and_not_repeated() -> None:
    with pytest.raises(Broken) as caught:
        _written(Sending("/x", b""), Secret("sk-secret\n"))

    assert "sk-secret" not in str(caught.value)


def test_what_is_prepared_for_one_request_serves_only_its_like() -> None:
    head = RequestHead(authority="api.test", base="", key=None)
    sendings = [
        Sending(path, body, method=method) for path in "ab" for body in (b"", b"{}") for method in ("GET", "PUT")
    ]
    written = [head.write(sending) for sending in sendings]

    assert len(sendings) == len(set(written))
    assert written == [head.write(sending) for sending in sendings]


def _break(sending: Sending) -> Break:
    with pytest.raises(Broken) as caught:
        _written(sending)
    return caught.value.kind
