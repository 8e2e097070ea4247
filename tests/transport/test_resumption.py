"""That a second handshake with a host goes on from the first one's session, and when it must not."""

from __future__ import annotations

import gc
import socket
import ssl
import weakref
from collections.abc import AsyncIterator

import pytest
import trustme
from aiohappyeyeballs import AddrInfoType

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.transport import dial, resumption
from satisfice.transport.client import HTTPTransport
from satisfice.transport.resumption import ResumingContext
from tests.transport.raw_upstream import SENDING, RawUpstream, an_endpoint, answering

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(params=["aiofastnet, direct", "aiofastnet, by Python's ssl", "uvloop", "asyncio"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who makes TLS connections."""
    match request.param:
        case "aiofastnet, direct":
            if vars(resumption)["_LIBSSL"] is None:
                pytest.skip("this Python has OpenSSL built in, where aiofastnet can't reach it")
        case "aiofastnet, by Python's ssl":
            monkeypatch.setattr(ResumingContext, "_aiofastnet_force_fallback_ssl", True, raising=False)
            monkeypatch.setattr(resumption, "_LIBSSL", None)
        case _:
            monkeypatch.setattr(dial, "_tls_connector", lambda loop: loop.create_connection)
            monkeypatch.setattr(resumption, "_LIBSSL", None)
    return str(request.param)


@pytest.fixture
def anyio_backend(way: str) -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": way != "asyncio"})


@pytest.fixture
async def transport() -> AsyncIterator[HTTPTransport]:
    transport = HTTPTransport(ManualClock())
    yield transport
    await transport.aclose()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_next_handshakes_with_a_host_go_on_from_the_first(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str, version: ssl.TLSVersion
) -> None:
    async with RawUpstream(answering(CLOSING), tls=_server(authority, version)) as upstream:
        await _read(transport, f"https://localhost:{upstream.port}", ca_file, times=4)

        assert [False, True, True, True] == [peer.is_resumed() for peer in upstream.peers]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_server_that_has_forgotten_makes_a_whole_handshake(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str, version: ssl.TLSVersion
) -> None:
    """Its tickets are those of an earlier process: it can't read them, and nothing but time is lost."""
    for _ in range(2):
        async with RawUpstream(answering(CLOSING), tls=_server(authority, version)) as upstream:
            await _read(transport, f"https://localhost:{upstream.port}", ca_file, times=2)

            assert [False, True] == [peer.is_resumed() for peer in upstream.peers]


async def test_a_session_is_for_its_host_and_for_those_who_trust_the_same(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str
) -> None:
    async with RawUpstream(answering(CLOSING), tls=_server(authority)) as upstream:
        await _read(transport, f"https://localhost:{upstream.port}", ca_file)
        with pytest.raises(Broken) as caught:
            await transport.open(an_endpoint(f"https://localhost:{upstream.port}"), SENDING)
        await _read(transport, f"https://127.0.0.1:{upstream.port}", ca_file)

        assert Break.TLS is caught.value.kind
        assert not any(peer.is_resumed() for peer in upstream.peers)


async def test_a_handshake_that_failed_is_nothing_to_go_on_from(
    transport: HTTPTransport, authority: trustme.CA
) -> None:
    async with RawUpstream(answering(CLOSING), tls=_server(authority, ssl.TLSVersion.TLSv1_2)) as upstream:
        for _ in range(3):
            with pytest.raises(Broken, match="not trusted"):
                await transport.open(an_endpoint(f"https://localhost:{upstream.port}"), SENDING)


async def test_of_many_hosts_the_latest_are_kept(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(_: dial.Dialer, __: str, port: int) -> list[AddrInfoType]:
        return list(socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM))

    monkeypatch.setattr(dial.Dialer, "_look_up", look_up)
    monkeypatch.setattr(resumption, "_HOSTS", 1)
    async with RawUpstream(answering(CLOSING), tls=_server(authority)) as upstream:
        for name in ("localhost", "other.test", "localhost"):
            await _read(transport, f"https://{name}:{upstream.port}", ca_file)

        assert not any(peer.is_resumed() for peer in upstream.peers)


async def test_sessions_go_with_their_context() -> None:
    context = weakref.ref(ResumingContext())
    gc.collect()

    assert context() is None


def _server(authority: trustme.CA, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "other.test", "127.0.0.1").configure_cert(context)
    context.maximum_version = version
    return context


async def _read(transport: HTTPTransport, url: str, ca_file: str, *, times: int = 1) -> None:
    for _ in range(times):
        answer = await transport.open(an_endpoint(url, ca_file=ca_file), SENDING)
        assert b"hi" == await answer.read(2)
