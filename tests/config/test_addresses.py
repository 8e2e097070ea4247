"""The kinds of value that name a place on a network."""

from __future__ import annotations

import pytest

from satisfice.config.addresses import Address, Host, check_proxy, is_loopback, is_plain_proxy
from satisfice.config.problems import Code, Unfit


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "localhost", "gateway.example", "fe80::1%eth0"])  # noqa: S104 - read, not bound
def test_a_host_is_an_address_or_a_name(host: str) -> None:
    assert host == Host().read(host)


@pytest.mark.parametrize(
    ("value", "code", "hint"),
    [
        ("127.0.0.1:80", Code.BAD_VALUE, 'write host = "127.0.0.1" and port = 80'),
        ("[::1]:80", Code.BAD_VALUE, 'write host = "::1" and port = 80'),
        ("[::1]", Code.BAD_VALUE, 'write host = "::1"'),
        ("http://localhost:80/", Code.BAD_VALUE, 'write host = "localhost" and port = 80'),
        ("256.1.1.1", Code.BAD_VALUE, ""),
        ("my host", Code.BAD_VALUE, ""),
        ("-a.example", Code.BAD_VALUE, ""),
        ("", Code.BAD_VALUE, ""),
        ("*", Code.BAD_VALUE, ""),
        (127, Code.BAD_TYPE, ""),
    ],
)
def test_what_is_no_host_is_refused(value: object, code: Code, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        Host().read(value)

    assert (code, hint) == (refused.value.code, refused.value.hint)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("https://a.example/v1", "https://a.example/v1"),
        ("https://a.example/v1//", "https://a.example/v1"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1"),
    ],
)
def test_a_base_address_has_no_slash_at_its_end(written: str, read: str) -> None:
    assert read == Address().read(written)


@pytest.mark.parametrize(
    ("value", "why", "hint"),
    [
        ("a.example/v1", "", 'write "https://a.example/v1"'),
        ("ftp://a.example", "", ""),
        ("https://", "", ""),
        ("https://a.example:0/v1", "", ""),
        ("https://a.example:99999/v1", "", ""),
        ("https://[::1/v1", "", ""),
        ("https://a.example/v 1", "", ""),
        ("https://modèle.example", "", ""),
        ("me:pw@a.example", "", ""),
        ("https://me:pw@a.example", "must not hold a user or a password", "name the key by `key` instead"),
        ("https://a.example/?k=1", "must not hold a query or a fragment", "end it before the `?` or `#`"),
        ("https://a.example/#", "must not hold a query or a fragment", "end it before the `?` or `#`"),
        (
            "https://a.example/v1/chat/completions",
            "must not end with /chat/completions, which each call adds",
            'write "https://a.example/v1"',
        ),
        (
            "https://a.example/v1/models/",
            "must not end with /models, which each call adds",
            'write "https://a.example/v1"',
        ),
        (5, "", ""),
    ],
)
def test_what_is_no_base_address_is_refused(value: object, why: str, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        Address().read(value)

    assert (why, hint) == (refused.value.why, refused.value.hint)


@pytest.mark.parametrize("address", ["https://a.example/", "https://a.example/v1/models", "http://[::1]:80/q.json"])
def test_the_address_of_one_document_is_taken_as_it_is(address: str) -> None:
    assert address == Address(is_base=False).read(address)


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("https://me:pw@a.example", "take them out"),
        ("https://a.example/?k=1", "end it before the `?` or `#`"),
        ("a.example/q.json", 'write "https://a.example/q.json"'),
    ],
)
def test_the_address_of_one_document_holds_no_secret_either(address: str, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        Address(is_base=False).read(address)

    assert hint == refused.value.hint


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("https://a.example:80/v1", False),
        ("a.example/v1", False),
        ("http://[::1]:80", False),
        ("", False),
        ("https://me:pw@a.example", True),
        ("https://me:pw.a.example", True),
        ("https://a.example?key=1", True),
    ],
)
def test_an_address_that_may_hold_a_secret_is_hidden(address: str, *, hidden: bool) -> None:
    assert hidden == Address().hides(address)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),  # noqa: S104 - read, not bound
        ("::", False),
        ("192.168.1.1", False),
        ("localhost.example", False),
    ],
)
def test_only_what_surely_is_this_machine_is_loopback(host: str, *, expected: bool) -> None:
    assert expected == is_loopback(host)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:3128", "socks5://proxy.example", "socks5h://me:hunter2@127.0.0.1:9050/", "http://[::1]:80"],
)
def test_a_proxy_may_be_http_or_socks5(address: str) -> None:
    check_proxy(address)


@pytest.mark.parametrize(
    "address",
    ["hunter2", "https://hunter2", "socks4://hunter2", "http://", "http://a/hunter2", "http://a?hunter2", "http://a#"],
)
def test_what_is_no_proxy_is_refused_without_a_word_of_it(address: str) -> None:
    with pytest.raises(Unfit) as refused:
        check_proxy(address)

    assert "hunter2" not in f"{refused.value.why} {refused.value.hint}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("socks5h://127.0.0.1:9050", True),
        ("http://[::1]:3128/", True),
        ("http://me:pw@127.0.0.1", False),
        ("me:pw", False),
        ("http://me:pw.a.example:80", False),
        ("http://127.0.0.1/pw", False),
    ],
)
def test_only_a_bare_proxy_is_plain(address: str, *, expected: bool) -> None:
    assert expected == is_plain_proxy(address)


def test_kinds_describe_themselves() -> None:
    assert ("an IP address or a host name", "string") == (Host().what, Host().schema()["type"])
    assert ("an http:// or https:// address", "uri") == (Address().what, Address().schema()["format"])
