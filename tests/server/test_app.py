"""Who is let in, what is served where, and what becomes of our own bugs, by both ways in."""

from __future__ import annotations

import asyncio
import logging

import pytest

from satisfice.core.secrets import Secret
from satisfice.engine.attempt import Job
from satisfice.engine.driver import Seen
from satisfice.routing.policy import Policies, Policy
from satisfice.server.access import Access
from satisfice.server.downstream import Message
from satisfice.transport.scripted import Ending
from tests.build import a_body, an_offer
from tests.engine.stage import STREAM, WHOLE, a_stream, an_error
from tests.server.conftest import HostOpener, Opener
from tests.server.front import Peer, a_stage, an_app, into_a_bug
from tests.server.wire import ASKING, CHAT, LOOKING, STREAMING

_TOKEN = "sk-of-the-gateway"
_KEYS = {"laptop": "sk-of-the-laptop", "ci": "sk-of-the-ci"}
_POLICIES = Policies(
    [Policy(name="not-acme", deny_providers=("acme",)), Policy(name="only-acme", allow_providers=("acme",))],
    by_key={"ci": "not-acme"},
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {_TOKEN}"),
        ("Authorization", f"bearer {_TOKEN}"),
        ("authorization", f"BEARER  {_TOKEN}"),
        ("authorization", _TOKEN),
        ("x-api-key", _TOKEN),
        ("X-API-Key", f"Bearer {_TOKEN}"),
    ],
)
async def test_both_ways_to_bring_the_token_let_a_caller_in(open_front: Opener, name: str, value: str) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway, token=_TOKEN))

    answered = await front.ask("POST", CHAT, headers=[(name, value)], body=a_body())
    listed = await front.ask("GET", "/v1/models", headers=[(name, value)])

    assert [200, 200] == [answered.status, listed.status]
    assert ["acme"] == stage.tried


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Bearer wrong")],
        [("authorization", f"Basic {_TOKEN}")],
        [("authorization", f"Bearer {_TOKEN}x")],
        [("authorization", "Bearer ")],
        [("x-api-key", "")],
        [("cookie", _TOKEN)],
    ],
    ids=str,
)
async def test_no_token_and_a_wrong_one_are_refused(open_front: Opener, headers: list[tuple[str, str]]) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway, token=_TOKEN))

    asked = await front.ask("POST", CHAT, headers=headers, body=a_body())
    looked = await front.ask("GET", "/v1/models", headers=headers)

    for reply in (asked, looked):
        assert 401 == reply.status
        assert "invalid_api_key" == reply.error["code"]
        assert "authentication_error" == reply.error["type"]
        assert "Bearer" == reply.header("www-authenticate")
        assert "caller" == reply.header("x-satisfice-error-source")
        assert _TOKEN not in reply.body.decode()
        assert reply.is_whole
    assert [] == stage.tried


async def test_one_right_token_among_several_keys_is_enough(open_front: Opener) -> None:
    """An SDK sends the key of its own provider along."""
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway, token=_TOKEN))
    headers = [("authorization", "Bearer sk-another"), ("x-api-key", _TOKEN)]

    reply = await front.ask("POST", CHAT, headers=headers, body=a_body())

    assert 200 == reply.status


async def test_without_a_token_of_ours_any_key_will_do(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask("POST", CHAT, headers=[("authorization", "Bearer anything")], body=a_body())

    assert 200 == reply.status


@pytest.mark.parametrize("path", ["/", "/health", "/live", "/ready"])
async def test_whether_we_live_is_told_to_everybody(open_front: Opener, path: str) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway, token=_TOKEN))

    assert 200 == (await front.ask("GET", path)).status


@pytest.mark.parametrize(
    ("fields", "provider"),
    [
        ([("authorization", "Bearer sk-of-the-ci")], "bell"),
        ([("x-api-key", "sk-of-the-ci")], "bell"),
        ([("x-api-key", "sk-of-the-laptop")], "acme"),
        ([("x-api-key", _TOKEN)], "acme"),
    ],
)
async def test_a_caller_s_key_brings_its_policy(
    open_front: Opener, fields: list[tuple[str, str]], provider: str
) -> None:
    stage = a_stage({"acme": WHOLE, "bell": WHOLE}, policies=_POLICIES)
    front = await open_front(an_app(stage.gateway, token=_TOKEN, keys=_KEYS))

    priced = await front.ask("POST", "/v1/cost", headers=fields, body=a_body())
    reply = await front.ask("POST", CHAT, headers=fields, body=a_body())

    assert provider == reply.header("x-satisfice-provider")
    assert f"small@{provider}" == priced.json["choice"]
    assert [provider] == stage.tried


async def test_no_header_lifts_what_the_policy_of_a_key_forbids(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE, "bell": WHOLE}, policies=_POLICIES)
    front = await open_front(an_app(stage.gateway, keys=_KEYS))
    fields = [("x-api-key", "sk-of-the-ci"), ("x-satisfice-policy", "only-acme")]

    replies = [await front.ask("POST", path, headers=fields, body=a_body()) for path in (CHAT, "/v1/cost")]

    assert [(400, "no_candidate"), (400, "no_candidate")] == [(each.status, each.error["code"]) for each in replies]
    assert [] == stage.tried


async def test_a_caller_s_key_goes_no_further(open_front: Opener) -> None:
    stage = a_stage({"acme": WHOLE})
    front = await open_front(an_app(stage.gateway, keys=_KEYS))

    await front.ask("POST", CHAT, headers=[("x-api-key", "sk-of-the-ci")], body=a_body())

    assert [] == stage.transport.sent[0].sending.headers


async def test_a_new_configuration_is_served_from_one_call_to_the_next(open_front: Opener) -> None:
    before, after = a_stage({"acme": WHOLE}), a_stage({"bell": WHOLE})
    app = an_app(before.gateway)
    front = await open_front(app)

    first = await front.ask("POST", CHAT, body=a_body())
    app.take(after.gateway, access=Access(keys={"ci": Secret("sk-of-the-ci")}), max_body=1 << 20)
    refused = await front.ask("POST", CHAT, body=a_body())
    second = await front.ask("POST", CHAT, headers=[("x-api-key", "sk-of-the-ci")], body=a_body())

    assert [200, 401, 200] == [each.status for each in (first, refused, second)]
    assert (["acme"], ["bell"]) == (before.tried, after.tried)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/chat/completions?api-version=1"])
async def test_inference_is_served_with_and_without_v1(open_front: Opener, path: str) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask("POST", path, body=a_body())

    assert 200 == reply.status
    assert "acme" == reply.header("x-satisfice-provider")


async def test_a_stream_is_a_stream(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": STREAM}).gateway))

    reply = await front.ask("POST", CHAT, body=a_body(stream=True))

    assert "text/event-stream" == reply.header("content-type")
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert reply.is_whole


@pytest.mark.parametrize("path", ["/v2", "/v1", "/v1/chat/completions/", "/V1/models", "//v1/models", "/modelsx/a"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_told_where_the_api_is(open_front: Opener, method: str, path: str) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway, token=_TOKEN))

    reply = await front.ask(method, path, body=b"{}" if method == "POST" else b"")

    assert 404 == reply.status
    assert "unknown_path" == reply.error["code"]
    assert f"Nothing is served at {path}." in str(reply.error["message"])
    assert "POST /v1/chat/completions" in str(reply.error["message"])


async def test_only_the_beginning_of_a_long_path_is_repeated(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({}).gateway))

    reply = await front.ask("GET", "/" + "x" * 9_000)

    assert 404 == reply.status
    assert len(reply.body) < 800


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", CHAT, "POST"),
        ("PUT", CHAT, "POST"),
        ("HEAD", CHAT, "POST"),
        ("OPTIONS", "/v1/models", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
        ("GET", "/v1/cost", "POST"),
        ("GET", "/cost", "POST"),
        ("POST", "/providers", "GET, HEAD"),
        ("DELETE", "/v1/models/small", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_one(open_front: Opener, method: str, path: str, allow: str) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask(method, path)

    assert 405 == reply.status
    assert allow == reply.header("allow")
    if method != "HEAD":
        right = allow.partition(",")[0]
        assert "method_not_allowed" == reply.error["code"]
        assert f"{path} takes {right}, not {method}. Use {right}." == reply.error["message"]


@pytest.mark.parametrize(
    "path", ["/", "/health", "/live", "/ready", "/providers", "/v1/models", "/models", "/v1/models/small"]
)
async def test_head_is_get_without_a_body(open_front: Opener, path: str) -> None:
    """Claude Code asks `HEAD /` before anything else."""
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    got, headed = await front.ask("GET", path), await front.ask("HEAD", path)

    assert got.status == headed.status == 200
    assert str(len(got.body)) == got.header("content-length") == headed.header("content-length")
    assert b"" == headed.body


async def test_a_bug_in_a_call_is_told_and_the_server_goes_on(
    open_front: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    stage = a_stage({"acme": WHOLE}, offers=[an_offer("acme"), an_offer("ghost", "cursed")])
    front = await open_front(an_app(stage.gateway))

    with caplog.at_level(logging.ERROR, "satisfice"):
        cursed = await front.ask("POST", CHAT, body=a_body("cursed"))
        after = await front.ask("POST", CHAT, body=a_body())

    assert 500 == cursed.status
    assert "internal" == cursed.error["code"]
    assert "gateway" == cursed.header("x-satisfice-error-source")
    assert [f"{cursed.header('x-satisfice-request-id')}: a bug of ours"] == [
        record.getMessage() for record in caplog.records
    ]
    assert "KeyError: 'ghost'" in caplog.text
    assert 200 == after.status


async def test_a_bug_in_the_server_itself_is_told_and_logged(
    open_front: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever listens to the calls is part of the gateway, too: here it fails before the caller has heard anything."""
    stage = a_stage({"acme": an_error(404)})
    stage.gateway.on_call = _fail
    front = await open_front(an_app(stage.gateway))

    with caplog.at_level(logging.ERROR, "satisfice"):
        reply = await front.ask("POST", CHAT, body=a_body())

    assert 500 == reply.status
    assert "internal" == reply.error["code"]
    assert [f"{reply.header('x-satisfice-request-id')}: a bug of ours"] == [
        record.getMessage() for record in caplog.records
    ]


async def test_a_bug_after_the_answer_changes_nothing_for_the_caller(
    open_front: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    stage = a_stage({"acme": WHOLE})
    stage.gateway.on_call = _fail
    front = await open_front(an_app(stage.gateway))

    with caplog.at_level(logging.ERROR, "satisfice"):
        reply = await front.ask("POST", CHAT, body=a_body())

    assert 200 == reply.status
    assert reply.is_whole
    assert "RuntimeError: a bug" in caplog.text


async def test_a_bug_amid_an_answer_cuts_it(open_front: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """A clean end would pass half an answer for a whole one."""
    stage = a_stage({"acme": a_stream().wait(1.0).done()}, sleep=into_a_bug)
    front = await open_front(an_app(stage.gateway))

    with caplog.at_level(logging.ERROR, "satisfice"):
        reply = await front.ask("POST", CHAT, body=a_body(stream=True))

    assert 200 == reply.status
    assert b"Hello" in reply.body
    assert b"[DONE]" not in reply.body
    assert not reply.is_whole
    assert "RuntimeError: a bug" in caplog.text


async def test_it_knows_the_life_of_an_asgi_server() -> None:
    app = an_app(a_stage({"acme": WHOLE}).gateway)
    inbox: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    outbox: list[Message] = []

    async def receive() -> Message:
        return inbox.pop(0)

    async def send(message: Message) -> None:
        outbox.append(message)

    await app({"type": "lifespan"}, receive, send)

    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == [message["type"] for message in outbox]


def test_the_short_way_is_for_callers_who_are_let_in() -> None:
    """Else anybody could have us hold bodies in memory."""
    app = an_app(a_stage({"acme": WHOLE}).gateway, token=_TOKEN)
    right, wrong = ((b"x-api-key", _TOKEN.encode()),), ((b"x-api-key", b"wrong"),)

    assert None is not app.inference(b"/v1/chat/completions", right)
    assert None is app.inference(b"/v1/chat/completions", wrong)
    assert None is app.inference(b"/v1/chat/completions", ())
    assert None is app.inference(b"/v1/models", right)


def test_the_short_way_knows_who_asks() -> None:
    app = an_app(a_stage({"acme": WHOLE}).gateway, token=_TOKEN, keys=_KEYS)

    found = [app.inference(CHAT.encode(), [(b"x-api-key", key.encode())]) for key in (_TOKEN, *_KEYS.values())]

    assert 3 == len({id(each) for each in found if each is not None})


async def test_a_real_server_serves_us(open_host: HostOpener) -> None:
    host = await open_host(an_app(a_stage({"acme": [WHOLE, STREAM]}).gateway))

    async with Peer(host.port) as peer:
        await peer.send(ASKING)
        whole = await peer.reply()
        await peer.send(STREAMING)
        streamed = await peer.reply()
        await peer.send(LOOKING)
        healthy = await peer.reply()

    assert [200, 200, 200] == [whole.status, streamed.status, healthy.status]
    assert all(reply.header("date") for reply in (whole, streamed, healthy))
    assert all("1" == reply.header("x-of-the-server") for reply in (whole, streamed, healthy))
    assert streamed.body.endswith(b"[DONE]\n\n")
    assert 3 == host.server_state.total_requests


async def test_a_real_caller_who_leaves_is_noticed(open_host: HostOpener) -> None:
    stage = a_stage({"acme": a_stream().stall()})
    tell, told = stage.gateway.on_call, asyncio.Event()

    def on_call(job: Job, seen: Seen) -> None:
        assert tell is not None
        tell(job, seen)
        told.set()

    stage.gateway.on_call = on_call
    host = await open_host(an_app(stage.gateway))

    async with Peer(host.port) as peer:
        await peer.send(STREAMING)
        assert b"Hello" in await peer.read_until(b"Hello")
    async with asyncio.timeout(5.0):
        await told.wait()

    assert stage.seen.has_left
    assert [Ending.ABORTED] == stage.endings


def _fail(*_: object) -> None:
    raise RuntimeError("a bug")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("http://evil.example:8402", 403),
        ("http://localhost.evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("null", 403),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8402", 200),
        ("http://[::1]:1", 200),
        ("vscode-webview://0abc", 200),
        ("chrome-extension://abc", 200),
    ],
)
async def test_a_page_of_another_site_may_not_spend_what_is_not_its_own(
    open_front: Opener, origin: str, status: int
) -> None:
    """Without a token, any page that somebody visits could: browsers let it send, if not read the answer."""
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway))

    reply = await front.ask("POST", "/v1/chat/completions", headers=[("origin", origin)], body=a_body())

    assert status == reply.status


async def test_who_knows_the_token_may_be_a_page_of_another_site(open_front: Opener) -> None:
    front = await open_front(an_app(a_stage({"acme": WHOLE}).gateway, token="sk-right"))
    fields = [("origin", "https://app.example"), ("authorization", "Bearer sk-right")]

    assert 200 == (await front.ask("POST", "/v1/chat/completions", headers=fields, body=a_body())).status
