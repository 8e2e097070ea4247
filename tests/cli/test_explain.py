"""`explain`: the decision about a prompt that isn't sent."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from satisfice.cli.main import run
from satisfice.transport.scenario import scenario
from tests.cli.test_market import CONFIG


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "satisfice.toml"
    path.write_text(CONFIG)
    return str(path)


def test_candidates_stand_in_the_order_in_which_they_would_be_tried(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["explain", "Hello", "-m", "small", "-c", config])

    captured = capsys.readouterr()
    assert (
        "RANK  OFFER        EXPECTED COST\n   1  small@cheap      0.452 sat\n   2  small@local      1.016 sat\n"
    ) == captured.out
    assert captured.err.startswith("small: about 16 tokens in and 500 out; tried in this order:\n")


@pytest.mark.parametrize(("model", "cost"), [("tiny", "free"), ("mystery", "unknown")])
def test_free_and_unknown_are_not_the_same(
    model: str, cost: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["explain", "Hello", "-m", model, "-c", config])

    assert cost == capsys.readouterr().out.splitlines()[1].split()[-1]


def test_programs_get_exact_costs(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["explain", "Hello", "-m", "small", "-c", config, "--json"])

    told = json.loads(capsys.readouterr().out)
    assert ["model", "expected", "candidates"] == list(told)
    assert {"input_tokens": 16, "output_tokens": 500} == told["expected"]
    assert [(1, 452, "small@cheap"), (2, 1016, "small@local")] == [
        (each["rank"], each["expected_cost_msat"], each["offer"]["id"]) for each in told["candidates"]
    ]


def test_a_prompt_can_come_from_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("word " * 400))

    assert 0 == run(["explain", "-", "--demo", "--json"])

    assert json.loads(capsys.readouterr().out)["expected"]["input_tokens"] > 500


def test_auto_has_every_priced_offer_for_a_candidate(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["explain", "Hello", "--demo", "--json"])

    assert len(scenario("demo").offers) == len(json.loads(capsys.readouterr().out)["candidates"])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("smal", "No offer for the model `smal`. Did you mean `small`?"),
        ("xyzzy", "No offer for the model `xyzzy`."),
    ],
)
def test_an_unknown_model_is_a_failure_with_suggestions(
    model: str, message: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == run(["explain", "Hello", "-m", model, "-c", config])

    captured = capsys.readouterr()
    assert ("", f"error: {message}") == (captured.out, captured.err.splitlines()[0])


def test_where_no_price_is_known_auto_has_nothing_to_choose_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "satisfice.toml"
    path.write_text('[[providers]]\nname = "a"\nurl = "http://127.0.0.1:1/v1"\n[[providers.models]]\nid = "mystery"\n')

    assert 1 == run(["explain", "Hello", "-c", str(path)])

    assert "`auto` is for offers whose price is known, and there is none." in capsys.readouterr().err
