"""How connections come to be, and how they fail to: names, addresses, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import trustme
from aiohappyeyeballs import AddrInfoType

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint, Timeouts
from satisfice.transport import dial
from satisfice.transport.address import parse
from satisfice.transport.client import HTTPTransport
from satisfice.transport.connection import Connection
from tests.transport.proxies import HTTPProxy, SocksProxy
from tests.transport.raw_upstream import OK, SENDING, Peer, RawUpstream, an_endpoint, answering


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loop that serves in production, and Python's own."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture(params=["fast", "the loop's own"])
def tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the two makes TLS connections."""
    if request.param != "fast":
        monkeypatch.setattr(dial, "_tls_connector", lambda loop: loop.create_connection)
    return str(request.param)


@pytest.fixture
async def transport() -> AsyncIterator[HTTPTransport]:
    transport = HTTPTransport(ManualClock())
    yield transport
    await transport.aclose()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def _server(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names or ("localhost", "127.0.0.1")).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_nobody_there_is_refused(transport: HTTPTransport) -> None:
    async with RawUpstream(answering(OK)) as gone:
        pass

    assert Break.REFUSED is (await _broken(transport, an_endpoint(gone))).kind


async def test_nobody_there_at_any_address_of_a_name_is_refused_too(
    transport: HTTPTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawUpstream(answering(OK)) as gone:
        pass
    _name("two.test", "127.0.0.1", "127.0.0.2", monkeypatch=monkeypatch)

    assert Break.REFUSED is (await _broken(transport, an_endpoint(f"http://two.test:{gone.port}"))).kind


@pytest.mark.parametrize("host", ["255.255.255.255", "x" * 64 + ".invalid", "x..invalid"])
async def test_no_way_there_is_unreachable(transport: HTTPTransport, host: str) -> None:
    """A broadcast address has no connections, and these names can't be looked up."""
    assert Break.UNREACHABLE is (await _broken(transport, an_endpoint(f"http://{host}:9"))).kind


async def test_an_address_that_does_not_answer_takes_its_time_and_no_more(transport: HTTPTransport) -> None:
    with _black_hole() as port:
        endpoint = an_endpoint(f"http://127.0.0.1:{port}", timeouts=Timeouts(connect=0.3))

        assert Break.CONNECT_TIMEOUT is (await _broken(transport, endpoint)).kind


async def test_the_whole_call_may_end_before_the_connection_stands(transport: HTTPTransport) -> None:
    with _black_hole() as port:
        sending = msgspec.structs.replace(SENDING, expires_at=ManualClock().now() + 0.05)
        with pytest.raises(Broken) as caught:
            await transport.open(an_endpoint(f"http://127.0.0.1:{port}"), sending)

    assert Break.TOTAL_TIMEOUT is caught.value.kind


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_name_with_two_addresses_is_reached_at_the_one_that_answers(
    transport: HTTPTransport, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _needs_ipv6()
    async with RawUpstream(answering(OK), host=host) as upstream:
        _name("two.test", "127.0.0.1", "::1", monkeypatch=monkeypatch)

        await _read(transport, an_endpoint(f"http://two.test:{upstream.port}"))


async def test_an_address_that_is_silent_does_not_hold_up_the_other(
    transport: HTTPTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 8305: the second address is tried while the first one is still thought of."""
    with _black_hole() as port:
        async with RawUpstream(answering(OK), host="127.0.0.2", port=port) as upstream:
            _name("two.test", "127.0.0.1", "127.0.0.2", monkeypatch=monkeypatch)

            await _read(transport, an_endpoint(f"http://two.test:{upstream.port}"))


async def test_cancelling_while_it_connects_leaves_nothing_open(transport: HTTPTransport) -> None:
    """A socket left open would be reported as a warning, which is an error here."""
    with _black_hole() as port, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await transport.open(an_endpoint(f"http://127.0.0.1:{port}"), SENDING)


async def test_a_socket_that_nobody_takes_is_closed() -> None:
    def make() -> Connection:
        raise LookupError("a bug")

    async def play(peer: Peer) -> None:
        await peer.left()

    dialer = dial.Dialer(asyncio.get_running_loop(), {})
    async with RawUpstream(play) as upstream:
        with pytest.raises(LookupError):
            await dialer.dial(parse(upstream.url), make, proxy=None, ca_file=None, seconds=5)
        await upstream.over()


@pytest.mark.usefixtures("tls")
async def test_a_certificate_of_a_trusted_authority_is_accepted(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str
) -> None:
    async with RawUpstream(answering(OK), tls=_server(authority)) as upstream:
        for name in ("127.0.0.1", "localhost"):
            endpoint = an_endpoint(f"https://{name}:{upstream.port}", ca_file=ca_file)
            await _read(transport, endpoint)
            await _read(transport, endpoint)

        assert 2 == len(upstream.peers)


@pytest.mark.usefixtures("tls")
async def test_the_upstream_hears_the_name_and_that_we_speak_http_1_1(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str
) -> None:
    names: list[str | None] = []
    context = _server(authority)
    context.sni_callback = lambda _object, name, _context: names.append(name)
    async with RawUpstream(answering(OK), tls=context) as upstream:
        await _read(transport, an_endpoint(f"https://localhost:{upstream.port}", ca_file=ca_file))

        assert ["localhost"] == names
        assert "http/1.1" == upstream.peers[0].protocol()


@pytest.mark.usefixtures("tls")
@pytest.mark.parametrize("size", [1, 8 << 20])
async def test_bodies_of_any_size_pass_through_tls(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str, size: int
) -> None:
    async def play(peer: Peer) -> None:
        request = await peer.request()
        body = request.partition(b"\r\n\r\n")[2]
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)
        await peer.left()

    body = bytes(range(256)) * (size // 256) or b"x"
    async with RawUpstream(play, tls=_server(authority)) as upstream:
        endpoint = an_endpoint(upstream, ca_file=ca_file)
        answer = await transport.open(endpoint, msgspec.structs.replace(SENDING, body=body))

        assert body == await answer.read(size)


@pytest.mark.usefixtures("tls")
async def test_a_certificate_of_nobody_we_know_is_refused(transport: HTTPTransport, authority: trustme.CA) -> None:
    async with RawUpstream(answering(OK), tls=_server(authority)) as upstream:
        broken = await _broken(transport, an_endpoint(upstream))

    assert Break.TLS is broken.kind
    assert "certificate not trusted" in str(broken)


@pytest.mark.usefixtures("tls")
async def test_a_certificate_of_another_name_is_refused(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str
) -> None:
    async with RawUpstream(answering(OK), tls=_server(authority, "other.test")) as upstream:
        broken = await _broken(transport, an_endpoint(f"https://localhost:{upstream.port}", ca_file=ca_file))

    assert Break.TLS is broken.kind
    assert "localhost" in str(broken)


@pytest.mark.usefixtures("tls")
@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["plain HTTP", "hangs up"])
async def test_no_tls_at_the_other_end_breaks(transport: HTTPTransport, words: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(words)

    async with RawUpstream(play) as upstream:
        assert Break.TLS is (await _broken(transport, an_endpoint(upstream.url.replace("http", "https")))).kind


@pytest.mark.usefixtures("tls")
async def test_a_handshake_that_never_ends_is_a_connection_not_made_in_time(transport: HTTPTransport) -> None:
    async def play(peer: Peer) -> None:
        await peer.left()

    async with RawUpstream(play) as upstream:
        url = upstream.url.replace("http", "https")

        assert (
            Break.CONNECT_TIMEOUT is (await _broken(transport, an_endpoint(url, timeouts=Timeouts(connect=0.3)))).kind
        )
        await upstream.over()


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_certificates_that_cannot_be_read_break(
    transport: HTTPTransport, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    broken = await _broken(transport, an_endpoint("https://127.0.0.1:9", ca_file=str(path)))

    assert Break.TLS is broken.kind
    assert str(path) in str(broken)


@pytest.mark.usefixtures("tls")
async def test_a_body_cut_within_tls_breaks(transport: HTTPTransport, authority: trustme.CA, ca_file: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")

    async with RawUpstream(play, tls=_server(authority)) as upstream:
        answer = await transport.open(an_endpoint(upstream, ca_file=ca_file), SENDING)

        with pytest.raises(Broken, match="cut before its end"):
            await answer.read(9)


@pytest.mark.usefixtures("tls")
async def test_a_stale_tls_connection_is_retried(transport: HTTPTransport, authority: trustme.CA, ca_file: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()

    async with RawUpstream(play, tls=_server(authority)) as upstream:
        endpoint = an_endpoint(upstream, ca_file=ca_file)
        for _ in range(3):
            await _read(transport, endpoint)

        assert 3 == len(upstream.peers)


@pytest.mark.usefixtures("tls")
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_tls_goes_through_a_proxy_to_the_upstream(
    transport: HTTPTransport, authority: trustme.CA, ca_file: str, scheme: str
) -> None:
    proxy = HTTPProxy() if scheme == "http" else SocksProxy()
    async with RawUpstream(answering(OK), tls=_server(authority)) as upstream, proxy:
        through = Secret(f"{scheme}://127.0.0.1:{proxy.port}")
        await _read(transport, an_endpoint(upstream, ca_file=ca_file, proxy=through))

        assert 1 == len(proxy.asked)


@contextlib.contextmanager
def _black_hole() -> Iterator[int]:
    """A port at 127.0.0.1 that never answers: its queue is full and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        while True:
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.05)
            try:
                filler.connect(address)
            except TimeoutError:
                break
        yield address[1]


def _name(name: str, *numbers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a name have these addresses, in this order, whatever the loop looks names up with."""

    async def look_up(_: dial.Dialer, host: str, port: int) -> list[AddrInfoType]:
        assert name == host
        return [found for number in numbers for found in socket.getaddrinfo(number, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(dial.Dialer, "_look_up", look_up)


def _needs_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")


async def _read(transport: HTTPTransport, endpoint: Endpoint) -> None:
    answer = await transport.open(endpoint, SENDING)
    assert b"hi" == await answer.read(2)


async def _broken(transport: HTTPTransport, endpoint: Endpoint) -> Broken:
    with pytest.raises(Broken) as caught:
        await transport.open(endpoint, SENDING)
    return caught.value
