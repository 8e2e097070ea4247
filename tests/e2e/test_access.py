"""The access token: who has it comes in, who hasn't is told so, and nobody else ever sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.caller import CHAT, Caller, ask, get, post, question
from tests.e2e.gateway import Gateway, config
from tests.e2e.sdk import SDK
from tests.e2e.upstream import Upstream

_TOKEN = "satisfice-e2e-0123456789abcdef"
_RIGHT = (f"authorization: Bearer {_TOKEN}", f"authorization: bearer {_TOKEN}", f"x-api-key: {_TOKEN}")
_WRONG = (
    "authorization: Bearer wrong",
    f"authorization: Bearer {_TOKEN[:-1]}",
    f"authorization: Bearer {_TOKEN}x",
    f"authorization: Basic {_TOKEN}",
    "authorization: Bearer \xe9",
    "authorization: Bearer",
    "x-api-key: wrong",
)


@pytest.fixture(scope="module")
def guarded(_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that wants a token."""
    folder = tmp_path_factory.mktemp("guarded")
    provider = {"name": "upstream", "url": _upstream.url, "key": "env:UPSTREAM_KEY", "models": {"small": (1, 1)}}
    path = folder / "satisfice.toml"
    path.write_text(config(provider, server={"access_token": "env:TOKEN", "max_body_mib": 1}))
    env = {"TOKEN": _TOKEN, "UPSTREAM_KEY": "sk-upstream-0123456789"}
    with Gateway("serve", "--config", str(path), folder=folder, env=env) as gateway:
        yield gateway
        assert _TOKEN not in gateway.output
        assert "sk-upstream" not in gateway.output


@pytest.mark.parametrize("field", _RIGHT)
async def test_who_brings_the_token_comes_in(guarded: Gateway, upstream: Upstream, field: str) -> None:
    answer = await ask(guarded, post(question(stream=True), field))

    assert "Hello you" == answer.text
    assert 200 == (await ask(guarded, get("/v1/models", field))).status


async def test_the_upstream_gets_its_own_key_and_never_the_token(guarded: Gateway, upstream: Upstream) -> None:
    await ask(guarded, post(question(), _RIGHT[0]))

    assert "Bearer sk-upstream-0123456789" == upstream.asked[0].headers["authorization"]
    assert _TOKEN not in str(upstream.asked[0].headers)


@pytest.mark.parametrize(
    "fields", [(), *((field,) for field in _WRONG)], ids=lambda fields: fields[0] if fields else "none"
)
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/v1/models/small"])
async def test_who_does_not_is_told_so(
    guarded: Gateway, upstream: Upstream, fields: tuple[str, ...], path: str
) -> None:
    request = post(question(), *fields) if path == CHAT else get(path, *fields)
    answer = await ask(guarded, request)

    error = answer.json["error"]
    assert (401, "Bearer") == (answer.status, answer.headers["www-authenticate"])
    assert ("authentication_error", "invalid_api_key") == (error["type"], error["code"])
    assert "caller" == answer.headers["x-satisfice-error-source"]
    assert "Authorization: Bearer" in error["satisfice"]["hint"]
    assert [] == upstream.asked


async def test_a_large_body_without_the_token_is_not_even_waited_for(guarded: Gateway, upstream: Upstream) -> None:
    async with Caller(guarded) as caller:
        await caller.send(get(CHAT, "content-length: 1000000", method="POST"))

        assert 401 == (await caller.answer()).status


@pytest.mark.parametrize("path", ["/", "/health", "/ready"])
async def test_who_only_looks_whether_somebody_is_there_needs_none(guarded: Gateway, path: str) -> None:
    assert 200 == (await ask(guarded, get(path))).status


async def test_the_official_clients_raise_what_their_users_catch(
    guarded: Gateway, upstream: Upstream, sdk: SDK
) -> None:
    refused = await sdk.do(guarded, "create", arguments=question(), api_key="wrong", retries=2)
    let_in = await sdk.do(guarded, "create", arguments=question(), api_key=_TOKEN)

    assert ("AuthenticationError", 401) == (refused["error"]["type"], refused["error"]["status"])
    assert "Hello you" == let_in["completion"]["choices"][0]["message"]["content"]
    assert 1 == len(upstream.asked)


async def test_a_gateway_without_a_token_takes_any_key_and_none(gateway: Gateway, upstream: Upstream) -> None:
    assert 200 == (await ask(gateway, post(question()))).status
    assert 200 == (await ask(gateway, post(question(), "authorization: Bearer anything"))).status


async def test_no_port_is_opened_to_other_machines_without_a_token(tmp_path: Path) -> None:
    path = tmp_path / "satisfice.toml"
    path.write_text(config({"name": "a", "url": "http://127.0.0.1:1/v1", "models": {"small": (1, 1)}}))
    gateway = Gateway("serve", "--config", str(path), "--host", "0.0.0.0", folder=tmp_path)  # noqa: S104 - it is refused
    with pytest.raises(AssertionError, match="there is no access token"), gateway:
        pass
