"""What a gateway is built from, with a file and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.cli.exits import Misconfigured
from satisfice.cli.plan import here, plan
from satisfice.config.environment import KNOWN_PROVIDERS, LocalServer
from satisfice.core.secrets import Secret

LOCAL = (LocalServer("ollama", 11434), LocalServer("vllm", 8000))
PROVIDER = '[[providers]]\nname = "acme"\nurl = "http://127.0.0.1:1/v1"\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_file_that_is_named_holds() -> None:
    Path("mine.toml").write_text(PROVIDER)
    Path("satisfice.toml").write_text("")

    made = plan(Path("mine.toml"), {"OPENAI_API_KEY": "sk-1"})

    assert (Path("mine.toml"), ["acme"], ()) == (made.file, [each.name for each in made.providers], made.missing)


def test_the_file_that_is_found_holds() -> None:
    Path("satisfice.toml").write_text(PROVIDER)

    assert Path("satisfice.toml") == plan(None, {}).file


def test_a_file_with_a_warning_holds_and_the_warning_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("satisfice.toml").write_text(PROVIDER + 'key = "sk-0123456789abcdef"\n')

    assert plan(None, {}).config.providers

    shown = capsys.readouterr().err
    assert "warning[literal-secret]" in shown
    assert "0123456789abcdef" not in shown


def test_a_command_that_only_looks_does_not_warn(capsys: pytest.CaptureFixture[str]) -> None:
    Path("satisfice.toml").write_text(PROVIDER + 'key = "sk-0123456789abcdef"\n')

    assert plan(None, {}, shows_warnings=False).config.providers

    assert "" == capsys.readouterr().err


def test_a_file_with_an_error_is_refused_and_the_error_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("satisfice.toml").write_text("[sever]\n")

    with pytest.raises(Misconfigured, match=r"satisfice\.toml can't be used: 1 error"):
        plan(None, {})

    assert "satisfice.toml:1:2: error[unknown-key]" in capsys.readouterr().err


def test_a_file_that_is_named_and_not_there_is_refused() -> None:
    with pytest.raises(Misconfigured):
        plan(Path("missing.toml"), {})


def test_without_a_file_keys_and_model_servers_are_taken() -> None:
    made = plan(None, {"OPENAI_API_KEY": "sk-1"}, local=LOCAL)

    assert None is made.file
    assert ["openai", "ollama", "vllm"] == [each.name for each in made.providers]
    assert {"openai": "OPENAI_API_KEY", "ollama": "localhost:11434", "vllm": "localhost:8000"} == made.where
    assert [known.variable for known in KNOWN_PROVIDERS if known.name != "openai"] == list(made.missing)


def test_without_a_file_offers_need_no_price() -> None:
    """A key alone says nothing about prices, and many providers list none."""
    Path("mine.toml").write_text(PROVIDER)

    assert plan(None, {"OPENAI_API_KEY": "sk-1"}, local=LOCAL).config.routing.allow_unpriced
    assert not plan(Path("mine.toml"), {}).config.routing.allow_unpriced


def test_what_is_here_is_taken_though_there_is_a_file() -> None:
    Path("satisfice.toml").write_text(PROVIDER)

    assert None is here({}, LOCAL).file


def test_without_a_file_the_access_token_is_a_variable() -> None:
    assert Secret("abc") == here({"SATISFICE_TOKEN": "abc"}).config.server.access_token
    assert None is here({"SATISFICE_TOKEN": " "}).config.server.access_token


def test_a_gateway_does_not_take_itself_for_a_model_server() -> None:
    made = here({}, LOCAL)

    assert ["ollama"] == [each.name for each in made.without_port(8000).maybe]
    assert made.maybe == made.without_port(8402).maybe
