"""`check`, `config`, `init`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from satisfice.cli.main import run
from satisfice.cli.plan import here
from satisfice.config.environment import LocalServer
from tests.cli.provider import Provider, provider

VALID = '[[providers]]\nname = "acme"\nurl = "http://127.0.0.1:1/v1"\n'
INVALID = "[server]\nport = 70_000\n\n[sever]\n"
DOUBTFUL = VALID + 'key = "sk-canary-0123456789"\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SATISFICE_CONFIG", "XDG_CONFIG_HOME", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A model server where one is looked for."""
    with provider("tiny", "small") as server:
        local = (LocalServer("ollama", server.port),)
        monkeypatch.setattr("satisfice.cli.setup.here", partial(here, local=local))
        yield server


@pytest.fixture
def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("satisfice.cli.setup.here", lambda _: here({}, ()))


def test_a_valid_file_is_fine_and_can_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    Path("satisfice.toml").write_text(VALID)

    assert 0 == run(["check"])

    captured = capsys.readouterr()
    assert "satisfice.toml: no problems.\n" == captured.out
    assert "Next: satisfice serve --config satisfice.toml\n" == captured.err


def test_all_problems_of_an_invalid_file_are_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(INVALID)

    assert 3 == run(["check", "mine.toml"])

    shown = capsys.readouterr().out
    assert "mine.toml:2:8: error[bad-value]" in shown
    assert "mine.toml:4:2: error[unknown-key]" in shown
    assert shown.endswith("mine.toml: 2 errors.\n")


@pytest.mark.parametrize(
    ("text", "code", "counts"), [(VALID, 0, (0, 0)), (DOUBTFUL, 0, (0, 1)), (INVALID, 3, (2, 0)), ("=", 3, (1, 0))]
)
def test_programs_get_the_same_as_one_object(
    text: str, code: int, counts: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("satisfice.toml").write_text(text)

    assert code == run(["check", "--json"])

    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert ["file", "is_valid", "errors", "warnings", "problems"] == list(told)
    assert ("satisfice.toml", code == 0, *counts) == tuple(told.values())[:4]
    assert sum(counts) == len(told["problems"])
    assert "" == captured.err
    assert "canary" not in captured.out


def test_without_a_file_there_is_nothing_to_check(capsys: pytest.CaptureFixture[str]) -> None:
    """In CI it would be a mistake to take that for success."""
    assert 1 == run(["check"])

    shown = capsys.readouterr().err
    assert "There is no configuration to check. Looked for satisfice.toml, " in shown
    assert "hint: satisfice init" in shown


def test_the_example_is_a_file_that_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["config", "example"])

    Path("satisfice.toml").write_text(capsys.readouterr().out)
    assert 0 == run(["check"])


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["config", "schema"])

    assert "http://json-schema.org/draft-07/schema#" == json.loads(capsys.readouterr().out)["$schema"]


@pytest.mark.usefixtures("ollama")
def test_init_writes_what_is_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")

    assert 0 == run(["init"])

    assert (
        "Wrote satisfice.toml: openai, ollama.\nNext: satisfice serve --config satisfice.toml\n"
    ) == capsys.readouterr().err
    written = Path("satisfice.toml").read_text()
    assert ["openai", "ollama"] == [each["name"] for each in tomllib.loads(written)["providers"]]
    assert "canary" not in written
    assert 0 == run(["check"])


@pytest.mark.usefixtures("_nothing")
def test_init_with_nothing_found_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["init", "--output", "new.toml"])

    assert (
        "Wrote new.toml: no provider was found, so it has none yet.\nNext: satisfice check new.toml\n"
    ) == capsys.readouterr().err


@pytest.mark.usefixtures("_nothing")
def test_init_does_not_write_over_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("satisfice.toml").write_text("mine")

    assert 1 == run(["init"])

    assert "satisfice.toml is there already." in capsys.readouterr().err
    assert "mine" == Path("satisfice.toml").read_text()


@pytest.mark.usefixtures("_nothing")
def test_init_writes_over_a_file_if_it_must() -> None:
    Path("satisfice.toml").write_text("mine")

    assert 0 == run(["init", "--force"])

    assert "[server]" in Path("satisfice.toml").read_text()


@pytest.mark.usefixtures("_nothing")
def test_init_can_print_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == run(["init", "--output", "-"])

    captured = capsys.readouterr()
    assert 8402 == tomllib.loads(captured.out)["server"]["port"]
    assert "" == captured.err
    assert not Path("satisfice.toml").exists()


@pytest.mark.usefixtures("_nothing")
def test_init_says_why_it_cannot_write(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == run(["init", "--output", "no/such/folder/satisfice.toml"])

    assert "can't be written: No such file or directory." in capsys.readouterr().err


@pytest.mark.usefixtures("_nothing")
def test_init_tells_editors_of_a_schema_that_lies_there() -> None:
    Path("satisfice.schema.json").write_text("{}")

    assert 0 == run(["init"])

    assert Path("satisfice.toml").read_text().startswith("#:schema ./satisfice.schema.json\n")
