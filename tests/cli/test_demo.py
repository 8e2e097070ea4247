"""`demo`: the gateway before a scripted market."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from satisfice.cli.demo import play
from satisfice.cli.exits import Misconfigured
from satisfice.cli.main import run
from satisfice.transport.scenario import shipped
from tests.cli.caller import ask, asking
from tests.cli.page import sample
from tests.cli.program import Program

MINE = """
[[providers]]
name = "broken"
models = ["unpriced"]
script = "refuse"

[[providers]]
name = "works"
models = ["unpriced"]
"""


def steady(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"(?<=127\.0\.0\.1:)\d+", "PORT", text)
    return re.sub(r"\b\d+\.\d s|\b\d+ ms", "TIME", text)


def test_it_prints_what_the_page_says(tmp_path: Path) -> None:
    with Program("demo", "--port", "0", folder=tmp_path) as program:
        url = program.url()
        for _ in range(2):
            ask(url, model="auto", prompt="hello", stream=True)
        assert 0 == program.stop()

    assert steady(sample("satisfice demo").output) + "  stopping\n  stopped\n" == steady(program.stderr)
    assert "" == program.stdout
    assert [] == list(tmp_path.iterdir()), "nothing is kept"


def test_every_answer_says_that_it_is_none(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)

    with Program("demo", "--script", "mine.toml", "--port", "0", folder=tmp_path) as program:
        for stream in (False, True):
            with asking(program.url(), model="unpriced", stream=stream) as response:
                assert "1" == response.headers["x-satisfice-demo"]
                words = re.findall(r'"content":"(.*?)"', response.read().decode())
                assert "Satisfice's demo model" in "".join(words)
        with asking(program.url(), model="unknown") as response:
            assert (404, "1") == (response.status, response.headers["x-satisfice-demo"])
        assert 0 == program.stop()


def test_a_scenario_of_ones_own_is_played(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINE)

    with Program("demo", "--script", "mine.toml", "--port", "0", folder=tmp_path) as program:
        assert "Satisfice's demo model" in ask(program.url(), model="unpriced")
        program.says(r"✓ unpriced via works, .*, cost not known, after broken \(connection refused\)")
        assert '"model": "unpriced"' in program.stderr  # the call that it suggests


def test_programs_can_have_it_as_json(tmp_path: Path) -> None:
    with Program("demo", "--log", "json", "--port", "0", folder=tmp_path) as program:
        assert '"is_demo":true' in program.says(r'\{"event":"ready".*')[0]
        assert 0 == program.stop()

    assert "" == program.stderr


def test_a_bad_scenario_is_refused_with_its_lines() -> None:
    with pytest.raises(Misconfigured, match=r"No scenario is called `demmo`\.") as refused:
        play("demmo")

    assert "Did you mean `demo`?" == refused.value.hint


def test_the_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["demo", "--list"])

    captured = capsys.readouterr()
    assert ["SCENARIO", *shipped()] == [line.split()[0] for line in captured.out.splitlines()]
    assert captured.err.startswith("Next: satisfice demo --script ")
