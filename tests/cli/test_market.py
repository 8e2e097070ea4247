"""`models` and `offers`: what can be bought, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.cli.main import run
from tests.cli.provider import provider

CONFIG = """
[[providers]]
name = "cheap"
url = "http://127.0.0.1:1/v1"
  [[providers.models]]
  id = "small"
  input_msat_per_mtok = 100_500
  output_msat_per_mtok = 400_000
  base_fee_msat = 250
  cache_read_msat_per_mtok = 50_000
  [[providers.models]]
  id = "mystery"

[[providers]]
name = "local"
url = "http://127.0.0.1:1/v1"
  [[providers.models]]
  id = "tiny"
  free = true
  [[providers.models]]
  id = "small"
  input_msat_per_mtok = 1_000_000
  output_msat_per_mtok = 2_000_000
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "satisfice.toml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[str]:
    """Two providers that are asked, of which one isn't there."""
    with provider("small") as server:
        path = tmp_path / "listed.toml"
        urls = {"here": server.url, "gone": "http://127.0.0.1:1/v1"}
        path.write_text("".join(f'[[providers]]\nname = "{name}"\nurl = "{url}"\n' for name, url in urls.items()))
        yield str(path)


def test_models_are_listed_with_who_sells_them_cheapest_first(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["models", "-c", config])

    assert (
        "MODEL    IN sat/Mtok  CACHED  OUT sat/Mtok  PROVIDERS\n"
        "mystery      unknown               unknown  cheap\n"
        "small          100.5      50           400  cheap, local\n"
        "tiny            free                  free  local\n"
    ) == capsys.readouterr().out


def test_offers_are_listed_one_by_one(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["offers", "-c", config, "--model", "small"])

    assert (
        "MODEL  PROVIDER  IN sat/Mtok  CACHED  OUT sat/Mtok  FEE sat\n"
        "small  cheap           100.5      50           400     0.25\n"
        "small  local           1,000                 2,000\n"
    ) == capsys.readouterr().out


def test_offers_of_one_provider(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["offers", "-c", config, "--provider", "local", "--json"])

    assert ["small@local", "tiny@local"] == [each["id"] for each in json.loads(capsys.readouterr().out)["offers"]]


def test_programs_get_exact_prices(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["offers", "-c", config, "--provider", "cheap", "--json"])

    captured = capsys.readouterr()
    priced: dict[str, object] = {
        "input_msat_per_mtok": 100_500,
        "output_msat_per_mtok": 400_000,
        "cache_read_msat_per_mtok": 50_000,
        "cache_write_msat_per_mtok": None,
        "base_fee_msat": 250,
        "tiers": [],
    }
    told = json.loads(captured.out)
    assert [] == told["unanswered"]
    assert [
        ("mystery@cheap", "mystery", "cheap", "mystery", None),
        ("small@cheap", "small", "cheap", "small", priced),
    ] == [
        tuple(each[name] for name in ("id", "model", "provider", "upstream_model", "price")) for each in told["offers"]
    ]


def test_programs_get_models_with_their_offers(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["models", "-c", config, "--json"])

    told = json.loads(capsys.readouterr().out)
    assert ["models", "unanswered"] == list(told)
    assert {"mystery": ["mystery@cheap"], "small": ["small@cheap", "small@local"], "tiny": ["tiny@local"]} == {
        model["id"]: [offer["id"] for offer in model["offers"]] for model in told["models"]
    }


@pytest.mark.parametrize("command", ["models", "offers"])
def test_who_does_not_answer_is_named_and_the_others_are_listed(
    command: str, listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run([command, "-c", listed, "--json"])

    told = json.loads(capsys.readouterr().out)
    assert 1 == len(told[command])
    [missing] = told["unanswered"]
    assert "gone" == missing["provider"]
    assert missing["why"].startswith("connection refused")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "smal"], "There is no model `smal`. Did you mean `small`?"),
        (["--model", "xyzzy"], "There is no model `xyzzy`."),
        (["--provider", "chaep"], "There is no provider `chaep`. Did you mean `cheap`?"),
        (["--provider", "cheap", "--model", "tiny"], "cheap doesn't sell tiny."),
    ],
)
def test_what_nobody_sells_is_a_failure_with_a_suggestion(
    arguments: list[str], message: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == run(["offers", "-c", config, *arguments])

    captured = capsys.readouterr()
    assert ("", f"error: {message}") == (captured.out, captured.err.splitlines()[0])


def test_if_nobody_answers_the_exit_code_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "satisfice.toml"
    path.write_text('[[providers]]\nname = "gone"\nurl = "http://127.0.0.1:1/v1"\n')

    assert 4 == run(["models", "-c", str(path), "--json"])

    assert "" == capsys.readouterr().out
