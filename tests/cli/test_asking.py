"""Asking providers once, whoever answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.cli import asking
from satisfice.cli.asking import ask, market
from satisfice.cli.exits import Unreachable
from satisfice.cli.plan import here, plan
from satisfice.config.environment import LocalServer
from tests.cli.provider import Provider, provider

NOBODY = "http://127.0.0.1:1/v1"  # a port at which nobody ever listens


@pytest.fixture
def acme() -> Iterator[Provider]:
    with provider("small", "large") as server:
        yield server


def configured(folder: Path, *urls: str) -> Path:
    path = folder / "satisfice.toml"
    path.write_text("".join(f'[[providers]]\nname = "p{at}"\nurl = "{url}"\n' for at, url in enumerate(urls)))
    return path


def test_what_the_providers_have_is_what_can_be_bought(acme: Provider, tmp_path: Path) -> None:
    found = market(configured(tmp_path, acme.url), from_demo=False)

    assert (("large", "small"), {}) == (found.catalog.models, found.failures)


def test_one_that_does_not_answer_is_named(acme: Provider, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = market(configured(tmp_path, acme.url, NOBODY), from_demo=False)

    assert ["p1"] == list(found.failures)
    assert "! p1: connection refused" in capsys.readouterr().err
    assert found.catalog.models


@pytest.mark.parametrize(("urls", "message"), [([NOBODY], "No provider has answered"), ([], "There is no provider")])
def test_if_there_is_nothing_at_all_that_is_a_failure(tmp_path: Path, urls: list[str], message: str) -> None:
    with pytest.raises(Unreachable, match=message):
        market(configured(tmp_path, *urls), from_demo=False)


def test_the_demo_needs_nobody() -> None:
    assert ("demo-large", "demo-small") == market(None, from_demo=True).catalog.models


def test_nobody_is_waited_for_for_ever(acme: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the connection and then says nothing."""
    monkeypatch.setattr(asking, "_PATIENCE", 0.1)
    acme.is_mute = True

    found = asyncio.run(ask(plan(configured(tmp_path, acme.url), {})))

    assert {"p0": "no answer in 0.1 s"} == found.failures


def test_a_model_server_that_is_not_here_is_no_failure(acme: Provider) -> None:
    found = asyncio.run(ask(here({}, (LocalServer("ollama", acme.port), LocalServer("vllm", 1)))))

    assert ({}, {"ollama"}) == (found.failures, {offer.provider for offer in found.catalog.offers})
