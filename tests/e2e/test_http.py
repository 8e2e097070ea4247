"""HTTP as callers may speak it, to the letter, over raw sockets."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import pytest

from tests.e2e.caller import CHAT, Caller, ask, get, post, question
from tests.e2e.gateway import Gateway
from tests.e2e.upstream import DONE, END, STREAM, Asked, Upstream, answer, piece, say, whole

_STREAM = question(stream=True)


async def test_a_connection_is_kept_for_the_next_request(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        for body in (question(), _STREAM, question()):
            await caller.send(post(body))

            assert 200 == (await caller.answer()).status
        await caller.send(get("/health"))

        assert "ok" == (await caller.answer()).json["status"]


async def test_requests_in_one_packet_are_answered_in_turn(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as caller:
        await caller.send(
            post(question()) + get("/health") + post(_STREAM) + get("/nowhere") + post({}) + post(question())
        )
        answers = [await caller.answer() for _ in range(6)]

    assert [200, 200, 200, 404, 400, 200] == [answer.status for answer in answers]
    assert "Hello you" == answers[0].json["choices"][0]["message"]["content"]
    assert "ok" == answers[1].json["status"]
    assert ("Hello you", "[DONE]") == (answers[2].text, answers[2].events[-1])


async def test_a_request_that_comes_during_an_answer_waits(gateway: Gateway, upstream: Upstream) -> None:
    second_came = asyncio.Event()

    async def play(asked: Asked) -> None:
        await asked.send(STREAM, *say("first"))
        await second_came.wait()
        await asked.send(*say(" still"), piece(DONE), END)

    upstream.play = play
    async with Caller(gateway) as caller:
        await caller.send(post(_STREAM))
        head, first = await caller.head(), await caller.piece()
        await caller.send(get("/health"))
        second_came.set()
        rest = b"".join([first, *[each async for each in caller.pieces()]])

        assert "first still" == head._replace(body=rest).text
        assert "ok" == (await caller.answer()).json["status"]


async def test_who_expects_100_continue_gets_it_before_the_body(gateway: Gateway, upstream: Upstream) -> None:
    head, body = _split(post(_STREAM, "expect: 100-continue"))
    async with Caller(gateway) as caller:
        await caller.send(head)

        assert "HTTP/1.1 100 Continue" == (await caller.head()).line
        await caller.send(body)
        assert "Hello you" == (await caller.answer()).text


async def test_who_expects_100_continue_for_too_large_a_body_hears_it_at_once(
    gateway: Gateway, upstream: Upstream
) -> None:
    async with Caller(gateway) as caller:
        await caller.send(get(CHAT, "expect: 100-continue", "content-length: 1048577", method="POST"))

        assert 413 == (await caller.answer()).status


async def test_a_body_may_come_in_chunks(gateway: Gateway, upstream: Upstream) -> None:
    head = get(CHAT, "transfer-encoding: chunked", "content-type: application/json", method="POST")
    body = _split(post(_STREAM))[1]
    async with Caller(gateway) as caller:
        await caller.send(head, *(piece(body[at : at + 7]) for at in range(0, len(body), 7)), b"0\r\nx-late: 1\r\n\r\n")
        answer = await caller.answer()
        await caller.send(post(question()))

        assert "Hello you" == answer.text
        assert 200 == (await caller.answer()).status
    assert _STREAM["messages"] == upstream.asked[0].json["messages"]
    assert "x-late" not in upstream.asked[0].headers


async def test_a_request_may_come_byte_by_byte(gateway: Gateway, upstream: Upstream) -> None:
    request = post(question())
    async with Caller(gateway) as caller:
        await caller.send(*(request[at : at + 1] for at in range(len(request))))

        assert 200 == (await caller.answer()).status


@pytest.mark.parametrize("change", [str.upper, str.title, str.lower])
async def test_names_of_header_fields_have_no_case(
    gateway: Gateway, upstream: Upstream, change: Callable[[str], str]
) -> None:
    head, body = _split(post(_STREAM, "x-trace: 7", "connection: close"))
    line, *fields = head.decode().split("\r\n")[:-2]
    named = [f"{change(name)}: {value}" for name, _, value in (field.partition(": ") for field in fields)]
    async with Caller(gateway) as caller:
        await caller.send("\r\n".join([line, *named, "", ""]).encode() + body)
        answer = await caller.answer()

        assert ("Hello you", "close") == (answer.text, answer.headers["connection"])
        assert b"" == await caller.read()
    assert "7" == upstream.asked[0].headers["x-trace"]


@pytest.mark.parametrize("body", [question(), _STREAM], ids=["whole", "stream"])
async def test_who_asks_to_close_is_told_so_and_gets_it(
    gateway: Gateway, upstream: Upstream, body: dict[str, object]
) -> None:
    async with Caller(gateway) as caller:
        await caller.send(post(body, "connection: close"))
        answer = await caller.answer()

        assert (200, "close") == (answer.status, answer.headers["connection"])
        assert b"Hello" in answer.body
        assert b"" == await caller.read()


@pytest.mark.parametrize("body", [question(), _STREAM], ids=["whole", "stream"])
async def test_http_1_0_ends_with_the_connection(gateway: Gateway, upstream: Upstream, body: dict[str, object]) -> None:
    """It knows no chunks (RFC 9112 section 6.1), and old proxies still speak it."""
    async with Caller(gateway) as caller:
        await caller.send(post(body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        answer = await caller.answer()

        assert 200 == answer.status
        assert "transfer-encoding" not in answer.headers
        assert b"Hello" in answer.body
        assert body != _STREAM or ("Hello you", "[DONE]") == (answer.text, answer.events[-1])
        assert b"" == await caller.read()


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/v1/models"])
async def test_head_is_get_without_the_body(gateway: Gateway, upstream: Upstream, path: str) -> None:
    async with Caller(gateway) as caller:
        await caller.send(get(path, method="HEAD") + get(path))
        bare, full = await caller.answer(to="HEAD"), await caller.answer()

    assert ("HTTP/1.1 200 OK", full.line) == (bare.line, bare.line)
    assert [str(len(full.body))] * 2 == [bare.headers["content-length"], full.headers["content-length"]]


@pytest.mark.parametrize(
    "path", [f"{CHAT}?beta=true", f"{CHAT}?", "/chat/completions?a=b&c", f"http://gateway{CHAT}?beta=true"]
)
async def test_a_query_changes_nothing_nor_does_an_absolute_address(
    gateway: Gateway, upstream: Upstream, path: str
) -> None:
    """RFC 9112 section 3.2.2: a server has to take the absolute form, too."""
    assert 200 == (await ask(gateway, post(question(), path=path))).status
    assert "POST /v1/chat/completions HTTP/1.1" == upstream.asked[0].line


async def test_a_model_is_found_by_a_name_with_escapes(gateway: Gateway, upstream: Upstream) -> None:
    assert "small@upstream" == (await ask(gateway, get("/v1/models/small%40upstream"))).json["id"]


async def test_a_browser_is_given_no_leave(gateway: Gateway, upstream: Upstream) -> None:
    """No page that somebody happens to visit may spend their money."""
    preflight = get(CHAT, "origin: http://evil.test", "access-control-request-method: POST", method="OPTIONS")
    asked = post(question(), "origin: http://evil.test")
    answers = [await ask(gateway, preflight), await ask(gateway, asked)]

    assert [405, 403] == [answer.status for answer in answers]
    assert not any(name.startswith("access-control-") for answer in answers for name in answer.headers)


async def test_what_tells_who_the_caller_is_stays_here(gateway: Gateway, upstream: Upstream) -> None:
    kept = ("authorization: Bearer mine", "cookie: a=b", "x-forwarded-for: 10.0.0.7", "user-agent: me/1")
    await ask(gateway, post(question(), *kept, "x-stainless-os: Linux", "x-trace: 7", "openai-beta: new"))

    headers = upstream.asked[0].headers
    assert ("7", "new") == (headers["x-trace"], headers["openai-beta"])
    assert not {"authorization", "cookie", "x-forwarded-for", "x-stainless-os"} & headers.keys()
    assert headers["user-agent"].startswith("satisfice/")


async def test_an_offer_to_speak_http_2_is_passed_over(gateway: Gateway, upstream: Upstream) -> None:
    """Java's client makes one with its first request."""
    offer = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAEAAEAAAAIAAAAA")
    async with Caller(gateway) as caller:
        for body in (_STREAM, question()):
            await caller.send(post(body, *offer))
            answer = await caller.answer()

            assert 200 == answer.status
            assert b"Hello" in answer.body


async def test_two_lengths_are_refused(gateway: Gateway, upstream: Upstream) -> None:
    """Or a proxy in front could read another request in the same bytes (RFC 9112 section 6.1)."""
    async with Caller(gateway) as caller:
        await caller.send(post(question(), "transfer-encoding: chunked"))

        assert 400 == (await caller.answer()).status
        assert b"" == await caller.read()
    assert [] == upstream.asked


async def test_who_leaves_in_the_middle_of_a_request_harms_nobody(gateway: Gateway, upstream: Upstream) -> None:
    async with Caller(gateway) as leaver:
        await leaver.send(post(question())[:-5])

    assert 200 == (await ask(gateway, post(question()))).status
    assert 1 == len(upstream.asked)


async def test_a_large_body_and_half_of_the_next_head_may_share_a_packet(gateway: Gateway, upstream: Upstream) -> None:
    """The limit on heads counts heads only."""
    large = post(question(x="a" * 200_000))
    following = post(question())
    async with Caller(gateway) as caller:
        await caller.send(large + following[:30])
        first = await caller.answer()
        await caller.send(following[30:])

        assert [200, 200] == [first.status, (await caller.answer()).status]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory another process has had")
async def test_endless_trailers_are_not_collected(gateway: Gateway, upstream: Upstream) -> None:
    """What comes after a chunked body counts as little as a head does."""
    before = gateway.peak_memory
    async with Caller(gateway) as caller:
        await caller.send(get(CHAT, "transfer-encoding: chunked", method="POST"), piece(b"{}"), b"0\r\n")
        with pytest.raises(ConnectionError):  # it doesn't listen to the end
            await caller.send(*[b"x-trailer: %b\r\n" % (b"a" * 1_000)] * 50_000)

    assert gateway.peak_memory - before < 16 << 20


async def test_answers_to_many_callers_at_once_are_not_mixed_up(gateway: Gateway, upstream: Upstream) -> None:
    async def play(asked: Asked) -> None:
        text = asked.json["messages"][0]["content"]
        if asked.json.get("stream"):
            await asked.send(STREAM, *say(text, " you"), piece(DONE), END)
        else:
            await asked.send(whole(text))

    async def call(number: int) -> None:
        asked = {"messages": [{"role": "user", "content": f"caller {number}"}]}
        async with Caller(gateway) as caller:
            for _ in range(5):
                await caller.send(post(question(**asked)) + post(question(stream=True, **asked)))
                plain, streamed = await caller.answer(), await caller.answer()

                assert f"caller {number}" == plain.json["choices"][0]["message"]["content"]
                assert f"caller {number} you" == streamed.text

    upstream.play = play
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(call(number))


async def test_an_upstream_that_closes_kept_connections_is_asked_again(gateway: Gateway, upstream: Upstream) -> None:
    """Nobody's fault, so nobody hears of it: not the caller, and not the count of retries."""

    async def play(asked: Asked) -> None:
        await answer(asked)
        asked.writer.close()

    upstream.play = play
    async with Caller(gateway) as caller:
        for _ in range(5):
            await caller.send(post(question()))
            got = await caller.answer()

            assert (200, "0") == (got.status, got.headers["x-satisfice-retries"])


def _split(request: bytes) -> tuple[bytes, bytes]:
    """Head and body."""
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body
