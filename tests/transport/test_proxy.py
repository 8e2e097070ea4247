"""Which proxy is used, and the way through real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from satisfice.core.clock import ManualClock
from satisfice.core.errors import Break, Broken
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint, Timeouts
from satisfice.transport.address import parse
from satisfice.transport.client import HTTPTransport
from satisfice.transport.proxy import from_environment, parse_proxy
from tests.transport.proxies import HTTPProxy, SocksProxy
from tests.transport.raw_upstream import OK, SENDING, Peer, RawUpstream, an_endpoint, answering


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loop that serves in production, and Python's own."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture
async def transport() -> AsyncIterator[HTTPTransport]:
    transport = HTTPTransport(ManualClock())
    yield transport
    await transport.aclose()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.test:3128", ("http", "proxy.test", 3128, "", "")),
        ("http://proxy.test", ("http", "proxy.test", 8080, "", "")),
        ("proxy.test:3128", ("http", "proxy.test", 3128, "", "")),
        ("socks5://127.0.0.1:9050", ("socks5", "127.0.0.1", 9050, "", "")),
        ("socks5h://me:p%40ss@[::1]", ("socks5h", "::1", 1080, "me", "p@ss")),
    ],
)
def test_a_proxy_has_its_parts(url: str, expected: tuple[object, ...]) -> None:
    proxy = parse_proxy(Secret(url))

    assert expected == (proxy.scheme, proxy.host, proxy.port, proxy.user, proxy.password.reveal())
    assert "p@ss" not in repr(proxy)


@pytest.mark.parametrize(
    "url", ["", "https://secret@proxy.test", "socks4://secret", "http://a:secret", "http://[secret"]
)
def test_what_is_no_proxy_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Broken) as caught:
        parse_proxy(Secret(url))

    assert Break.PROXY is caught.value.kind
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://a"}, "http://a"),
        ({"https_proxy": "http://b", "HTTPS_PROXY": "http://a"}, "http://b"),
        ({"HTTP_PROXY": "http://a"}, None),
        ({"ALL_PROXY": "socks5h://c"}, "socks5h://c"),
        ({"ALL_PROXY": "socks5h://c", "HTTPS_PROXY": "http://a"}, "http://a"),
        ({"ALL_PROXY": ""}, None),
        ({"ALL_PROXY": "http://a", "NO_PROXY": "other.test, api.test"}, None),
        ({"ALL_PROXY": "http://a", "no_proxy": "TEST"}, None),
    ],
)
def test_the_environment_names_a_proxy(environ: dict[str, str], expected: str | None) -> None:
    url = from_environment(parse("https://api.test/v1"), environ)

    assert expected == (url and url.reveal())


@pytest.mark.parametrize("url", ["http://localhost:11434", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_this_machine_needs_no_proxy(url: str) -> None:
    """A model on the same machine is never beyond a proxy, whatever the environment says."""
    assert from_environment(parse(url), {"HTTP_PROXY": "http://a"}) is None


@pytest.mark.parametrize(
    ("url", "exceptions", "is_excepted"),
    [
        ("https://api.test", "*", True),
        ("https://api.test", "api.test", True),
        ("https://api.test", ".test", True),
        ("https://api.test", "*.test", True),
        ("https://api.test", "pi.test", False),
        ("https://api.test", "api.test.org", False),
        ("https://api.test:444", "api.test:444", True),
        ("https://api.test", "api.test:444", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3:1", "10.1.2.3:1", True),
        ("https://[2001:db8::1]", "2001:db8::/32", True),
        ("https://[2001:db8::1]:1", "[2001:db8::1]:1", True),
        ("https://[2001:db8::1]:2", "[2001:db8::1]:1", False),
        ("https://api.test", "10.0.0.0/8, ,", False),
    ],
)
def test_some_need_no_proxy(url: str, exceptions: str, *, is_excepted: bool) -> None:
    environ = {"ALL_PROXY": "http://a", "NO_PROXY": exceptions}

    assert is_excepted is (from_environment(parse(url), environ) is None)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_socks_gets_a_number_or_looks_the_name_up_itself(transport: HTTPTransport, scheme: str) -> None:
    async with RawUpstream(answering(OK)) as upstream, SocksProxy() as proxy:
        endpoint = _through(f"{scheme}://127.0.0.1:{proxy.port}", f"http://localhost:{upstream.port}")
        await _read(transport, endpoint)
        await _read(transport, endpoint)
        [asked] = proxy.asked

        assert f"localhost:{upstream.port}" == asked if scheme == "socks5h" else asked[0] in "127:"


async def test_socks_with_a_password(transport: HTTPTransport) -> None:
    async with RawUpstream(answering(OK)) as upstream, SocksProxy(login=(b"me", b"p@ss")) as proxy:
        await _read(transport, _through(f"socks5h://me:p%40ss@127.0.0.1:{proxy.port}", upstream.url))


@pytest.mark.parametrize(
    ("login", "reply", "said"),
    [((b"me", b"other"), 0, "authentication failure"), (None, 5, "refused"), (None, 77, "Invalid reply")],
)
async def test_what_socks_refuses_breaks_without_the_password(
    transport: HTTPTransport, login: tuple[bytes, bytes] | None, reply: int, said: str
) -> None:
    async with RawUpstream(answering(OK)) as upstream, SocksProxy(login=login, reply=reply) as proxy:
        broken = await _broken(transport, _through(f"socks5h://me:secret@127.0.0.1:{proxy.port}", upstream.url))

    assert Break.PROXY is broken.kind
    assert said in str(broken)
    assert "secret" not in str(broken)


async def test_a_password_that_socks_cannot_take_breaks(transport: HTTPTransport) -> None:
    async with SocksProxy(login=(b"me", b"x")) as proxy:
        url = f"socks5h://me:{'x' * 300}@127.0.0.1:{proxy.port}"

        assert Break.PROXY is (await _broken(transport, _through(url, "http://127.0.0.1:1"))).kind


@pytest.mark.parametrize(
    "reply",
    [
        [b"HTTP/1.1 200 Connection established\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nProxy-Agent: x\r\n", b"\r\n"],
        [b"HTTP/1.1 2", b"04 \r\n\r", b"\n"],
    ],
    ids=len,
)
async def test_http_makes_a_tunnel(transport: HTTPTransport, reply: list[bytes]) -> None:
    async with RawUpstream(answering(OK)) as upstream, HTTPProxy(*reply) as proxy:
        endpoint = _through(f"http://me:p%40ss@127.0.0.1:{proxy.port}", upstream.url)
        await _read(transport, endpoint)
        await _read(transport, endpoint)

        assert [f"CONNECT 127.0.0.1:{upstream.port} HTTP/1.1"] == proxy.asked
        assert f"Host: 127.0.0.1:{upstream.port}".encode() in proxy.fields
        assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in proxy.fields


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 407 Authenticate\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nand more",
        b"SSH-2.0\r\n\r\n",
        b"x" * 20_000,
        b"HTT",
    ],
    ids=["refused", "more than a reply", "not HTTP", "endless", "hung up"],
)
async def test_what_http_refuses_breaks_without_the_password(transport: HTTPTransport, reply: bytes) -> None:
    async with RawUpstream(answering(OK)) as upstream, HTTPProxy(reply) as proxy:
        broken = await _broken(transport, _through(f"http://me:secret@127.0.0.1:{proxy.port}", upstream.url))

    assert Break.PROXY is broken.kind
    assert "secret" not in str(broken)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_a_proxy_that_is_not_there_breaks(transport: HTTPTransport, scheme: str) -> None:
    async with RawUpstream(answering(OK)) as gone:
        url = f"{scheme}://me:secret@127.0.0.1:{gone.port}"
    broken = await _broken(transport, _through(url, "http://127.0.0.1:1"))

    assert Break.PROXY is broken.kind
    assert "secret" not in str(broken)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_a_proxy_that_resets_breaks(transport: HTTPTransport, scheme: str) -> None:
    async def play(peer: Peer) -> None:
        peer.reset()

    async with RawUpstream(play) as proxy:
        broken = await _broken(transport, _through(f"{scheme}://127.0.0.1:{proxy.port}", "http://127.0.0.1:1"))

    assert Break.PROXY is broken.kind


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
async def test_a_silent_proxy_is_a_connection_not_made_in_time(transport: HTTPTransport, scheme: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.left()

    async with RawUpstream(play) as proxy:
        endpoint = _through(f"{scheme}://127.0.0.1:{proxy.port}", "http://127.0.0.1:1", connect=0.3)

        assert Break.CONNECT_TIMEOUT is (await _broken(transport, endpoint)).kind
        async with asyncio.timeout(5):
            await proxy.over()


async def test_the_proxy_of_the_environment_is_used_unless_the_endpoint_names_one() -> None:
    async with RawUpstream(answering(OK)) as upstream, HTTPProxy() as one, HTTPProxy() as other:
        transport = HTTPTransport(ManualClock(), {"HTTP_PROXY": f"http://127.0.0.1:{one.port}"})
        # 0.0.0.0 is this machine too, though it doesn't look like it.
        url = f"http://0.0.0.0:{upstream.port}"
        await _read(transport, an_endpoint(url))
        await _read(transport, _through(f"http://127.0.0.1:{other.port}", url))
        await transport.aclose()

        assert [1, 1] == [len(one.asked), len(other.asked)]


def _through(proxy: str, url: str, *, connect: float = 5.0) -> Endpoint:
    return an_endpoint(url, proxy=Secret(proxy), timeouts=Timeouts(connect=connect))


async def _read(transport: HTTPTransport, endpoint: Endpoint) -> None:
    answer = await transport.open(endpoint, SENDING)
    assert b"hi" == await answer.read(2)


async def _broken(transport: HTTPTransport, endpoint: Endpoint) -> Broken:
    with pytest.raises(Broken) as caught:
        await transport.open(endpoint, SENDING)
    return caught.value
