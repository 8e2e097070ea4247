"""Ports: free, taken, and not ours."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from satisfice.cli.exits import Failure
from satisfice.cli.listening import listen, url_of


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


def test_a_free_port_is_taken_and_takes_connections() -> None:
    sockets = listen("127.0.0.1", 0, command="satisfice serve")
    port = sockets[0].getsockname()[1]

    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass

    assert f"http://127.0.0.1:{port}" == url_of(sockets, "127.0.0.1")
    close(sockets)


def test_all_addresses_of_a_name_get_the_same_port() -> None:
    sockets = listen("localhost", 0, command="satisfice serve")

    assert 1 == len({each.getsockname()[1] for each in sockets})
    close(sockets)


def test_a_taken_port_is_named_and_a_free_one_suggested(taken: int) -> None:
    with pytest.raises(Failure) as failure:
        listen("127.0.0.1", taken, command="satisfice serve")

    assert f"Port {taken} of 127.0.0.1 is taken by another program." == failure.value.message
    command, _, port = failure.value.hint.rpartition(" ")
    assert "satisfice serve --port" == command
    close(listen("127.0.0.1", int(port), command="satisfice serve"))


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no-such-host.invalid", "No address is known for the host `no-such-host.invalid`."),
        ("192.0.2.1", "192.0.2.1 is no address of this machine."),
    ],
)
def test_an_address_that_is_not_ours_is_refused(host: str, message: str) -> None:
    with pytest.raises(Failure) as failure:
        listen(host, 0, command="satisfice serve")

    assert (message, "satisfice serve --host 127.0.0.1") == (failure.value.message, failure.value.hint)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nothing is bound to it
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("box.lan", "box.lan"),
    ],
)
def test_the_address_shown_is_one_that_can_be_called(host: str, shown: str) -> None:
    sockets = listen("127.0.0.1", 0, command="satisfice serve")

    assert f"http://{shown}:{sockets[0].getsockname()[1]}" == url_of(sockets, host)
    close(sockets)
