"""`explain`: the decision about a prompt that isn't sent."""

from __future__ import annotations

import io
import json
import re
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
    heads, *rows = captured.out.splitlines()
    assert ["RANK", "OFFER", "EXPECTED COST", "8 OF 10 CALLS", "AT MOST"] == re.split(r"  +", heads.strip())
    assert [
        ["1", "small@cheap", "0.372 sat", "0.273 sat to 0.514 sat", "6.806 sat"],
        ["2", "small@local", "0.616 sat", "0.118 sat to 1.326 sat", "32.784 sat"],
    ] == [re.split(r"  +", row.strip()) for row in rows]
    assert captured.err.startswith("small: about 16 tokens in and 300 out; tried in this order:\n")


def test_free_and_unknown_are_not_the_same(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["explain", "Hello", "-m", "tiny", "-c", config])
    assert "free" == capsys.readouterr().out.splitlines()[1].split()[-1]

    assert 1 == run(["explain", "Hello", "-m", "mystery", "-c", config])
    assert "mystery@cheap: its price is not known" in capsys.readouterr().err


def test_an_unknown_price_is_no_obstacle_where_that_is_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "satisfice.toml"
    path.write_text(f"[routing]\nallow_unpriced = true\n{CONFIG}")

    assert 0 == run(["explain", "Hello", "-m", "mystery", "-c", str(path)])
    assert "unknown" == capsys.readouterr().out.splitlines()[1].split()[-1]


def test_what_does_not_qualify_stands_below_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "satisfice.toml"
    path.write_text(f'{CONFIG}\n[[policies]]\nname = "careful"\ndeny_providers = ["cheap"]\n')

    assert 0 == run(["explain", "Hello", "-m", "small", "--policy", "careful", "-c", str(path)])

    captured = capsys.readouterr()
    assert "small@cheap        policy `careful`: `deny_providers` has `cheap`" == captured.out.splitlines()[-1]
    assert captured.err.startswith("small by careful: about ")


def test_an_unknown_policy_is_a_failure(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == run(["explain", "Hello", "-m", "small", "--policy", "crefull", "-c", config])

    assert "There is no policy `crefull`." in capsys.readouterr().err


def test_programs_get_exact_costs(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["explain", "Hello", "-m", "small", "-c", config, "--json"])

    told = json.loads(capsys.readouterr().out)
    assert ("small", "small@cheap", 372) == (told["model"], told["choice"], told["expected_cost_msat"])
    assert [(16, 300)] * 2 == [(each["input_tokens"], each["output_tokens"]) for each in told["candidates"]]
    assert [(1, 372, "small@cheap"), (2, 616, "small@local")] == [
        (each["rank"], each["expected_cost_msat"], each["offer"]["id"]) for each in told["candidates"]
    ]


def test_a_prompt_can_come_from_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("word " * 400))

    assert 0 == run(["explain", "-", "--demo", "--json"])

    assert json.loads(capsys.readouterr().out)["candidates"][0]["input_tokens"] > 500


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
