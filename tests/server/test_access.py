"""Who is let in, by which key, and who is not."""

from __future__ import annotations

import pytest

from satisfice.core.errors import BadKey, ForeignOrigin
from satisfice.core.secrets import Secret
from satisfice.ports import Headers
from satisfice.server.access import Access

_TOKEN = Secret("sk-of-the-gateway")
_KEYS = {"laptop": Secret("sk-of-the-laptop"), "ci": Secret("sk-of-the-ci")}


def test_without_token_and_keys_everybody_is_let_in() -> None:
    assert None is Access().identify(())
    assert None is Access().identify([(b"authorization", b"Bearer anything")])


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ((b"authorization", b"Bearer sk-of-the-laptop"), "laptop"),
        ((b"authorization", b"bearer  sk-of-the-ci "), "ci"),
        ((b"authorization", b"sk-of-the-ci"), "ci"),
        ((b"x-api-key", b"sk-of-the-laptop"), "laptop"),
        ((b"x-api-key", b"sk-of-the-gateway"), None),
    ],
)
def test_a_key_has_the_name_of_its_caller_and_the_token_has_none(field: tuple[bytes, bytes], name: str | None) -> None:
    assert name == Access(_TOKEN, _KEYS).identify([(b"accept", b"*/*"), field])


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer sk-of-another"), (b"x-api-key", b"sk-of-the-ci")],
        [(b"x-api-key", b"sk-of-another"), (b"authorization", b"Bearer sk-of-the-ci")],
        [(b"x-api-key", b"sk-of-another"), (b"x-api-key", b"sk-of-the-ci")],
    ],
)
def test_one_right_key_among_several_is_enough(headers: Headers) -> None:
    assert "ci" == Access(_TOKEN, _KEYS).identify(headers)


@pytest.mark.parametrize("keys", [{}, _KEYS], ids=["token", "keys"])
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ([], "An access token is needed."),
        ([(b"cookie", b"sk-of-the-gateway")], "An access token is needed."),
        ([(b"x-api-key", b"")], "The access token is wrong."),
        ([(b"authorization", b"Bearer ")], "The access token is wrong."),
        ([(b"authorization", b"Basic sk-of-the-gateway")], "The access token is wrong."),
        ([(b"x-api-key", b"sk-of-the-gatewa")], "The access token is wrong."),
        ([(b"x-api-key", b"\xff\x00")], "The access token is wrong."),
        ([(b"x-api-key", b"laptop")], "The access token is wrong."),
    ],
)
def test_no_key_and_a_wrong_one_are_refused(keys: dict[str, Secret], headers: Headers, message: str) -> None:
    with pytest.raises(BadKey) as refusal:
        Access(_TOKEN, keys).identify(headers)

    assert message == refusal.value.message


def test_keys_alone_close_the_door_too() -> None:
    access = Access(keys=_KEYS)

    assert "ci" == access.identify([(b"x-api-key", b"sk-of-the-ci")])
    with pytest.raises(BadKey):
        access.identify([(b"x-api-key", b"sk-of-the-gateway")])


def test_all_callers_are_known_by_name() -> None:
    assert (None,) == Access(_TOKEN).names
    assert (None, "laptop", "ci") == Access(_TOKEN, _KEYS).names
    assert (None, "laptop", "ci") == Access(keys=_KEYS).names


def test_a_page_of_another_site_has_to_bring_a_key() -> None:
    origin = (b"origin", b"https://app.example")

    with pytest.raises(ForeignOrigin):
        Access().identify([origin])
    assert "ci" == Access(keys=_KEYS).identify([origin, (b"x-api-key", b"sk-of-the-ci")])


@pytest.mark.parametrize("origin", [b"http://localhost:3000", b"http://[::1]", b"vscode-webview://0abc"])
def test_pages_of_this_machine_and_programs_are_let_in(origin: bytes) -> None:
    assert None is Access().identify([(b"origin", origin)])


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "a.localhost.evil.example."]
)
def test_a_page_whose_name_was_pointed_at_this_machine_has_to_bring_a_key(host: str) -> None:
    field = (b"host", host.encode())

    with pytest.raises(ForeignOrigin):
        Access().identify([field])
    assert "ci" == Access(keys=_KEYS).identify([field, (b"x-api-key", b"sk-of-the-ci")])


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost", "localhost.:80", "a.localhost:80", "127.0.0.1:8080", "192.168.0.7", "[::1]:80"),
        *("satisfice:8080", "host.docker.internal:80", "box.local", "BOX.LAN:80", "box.home.arpa."),
    ],
)
def test_addresses_and_names_that_nobody_can_own_are_let_in(host: str) -> None:
    assert None is Access().identify([(b"host", host.encode())])
