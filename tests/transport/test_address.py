"""What is an address, and what isn't."""

from __future__ import annotations

import pytest

from satisfice.core.errors import Break, Broken
from satisfice.transport.address import Address, is_loopback, parse


@pytest.mark.parametrize(
    ("url", "address", "authority"),
    [
        ("https://api.test/v1", Address(True, "api.test", 443, "/v1"), "api.test"),
        ("http://api.test/v1/", Address(False, "api.test", 80, "/v1"), "api.test"),
        ("https://api.test:8443", Address(True, "api.test", 8443, ""), "api.test:8443"),
        ("http://api.test:443/a/b", Address(False, "api.test", 443, "/a/b"), "api.test:443"),
        ("http://[::1]:11434/v1", Address(False, "::1", 11434, "/v1"), "[::1]:11434"),
        ("https://bücher.test", Address(True, "xn--bcher-kva.test", 443, ""), "xn--bcher-kva.test"),
    ],
)
def test_an_address_has_its_parts(url: str, address: Address, authority: str) -> None:
    assert (address, authority) == (parse(url), parse(url).authority)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.test",
        "ftp://api.test",
        "https://",
        "https://api.test:port",
        "https://api.test:99999",
        "https://[::1",
        "https://user:secret@api.test",
        "https://api.test/?key=secret",
        "https://user:secret@[::1",
        "https://a..b\u00e4",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Broken) as caught:
        parse(url)

    assert Break.UNREACHABLE is caught.value.kind
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("a.localhost", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("x", False)],
)
def test_this_machine_has_many_names(host: str, *, expected: bool) -> None:
    assert expected is is_loopback(host)
