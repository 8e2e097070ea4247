"""`serve`: with a file and without, for people and for programs, and never a secret."""

from __future__ import annotations

import json
import re
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from satisfice.cli.main import run
from tests.cli.caller import ask, asking
from tests.cli.page import sample
from tests.cli.program import Program
from tests.cli.provider import Provider, provider
from tests.cli.test_demo import steady

NOTHING = (
    "-c",
    "import satisfice.config.environment as e; e.LOCAL_SERVERS = (); from satisfice.cli.main import main; main()",
)


@pytest.fixture
def acme() -> Iterator[Provider]:
    with provider("small") as server:
        yield server


def configured(folder: Path, *providers: tuple[str, str], extra: str = "") -> None:
    """Each sells `small`; the first is the cheapest."""
    tables = (
        f'[[providers]]\nname = "{name}"\nurl = "{url}"\n'
        f'[[providers.models]]\nid = "small"\ninput_msat_per_mtok = {price}00_000\noutput_msat_per_mtok = 100_000_000\n'
        for price, (name, url) in enumerate(providers, 1)
    )
    (folder / "satisfice.toml").write_text(f"{extra}\n{''.join(tables)}")


def events(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in program.stdout.splitlines()]


def test_programs_get_every_event_on_stdout(acme: Provider, tmp_path: Path) -> None:
    configured(tmp_path, ("gone", "http://127.0.0.1:1/v1"), ("acme", acme.url))

    with Program("serve", "--port", "0", folder=tmp_path) as program:
        url = program.url()
        program.says('"event":"looked"')
        ask(url)
        program.says('"event":"call"')
        assert 0 == program.stop()

    told = events(program)
    assert ["ready", "provider", "provider", "looked", "call", "stopping", "stopped"] == [
        event["event"] for event in told
    ]
    assert "satisfice.toml" == told[0]["config"]
    call = told[4]
    assert ("small", "answered", "acme", 202, 10, 2) == tuple(
        call[key] for key in ("model", "outcome", "provider", "cost_msat", "input_tokens", "output_tokens")
    )
    assert ["gone"] == [failure["provider"] for failure in call["failures"]]
    assert "" == program.stderr


def test_people_get_the_first_call_as_proof(acme: Provider, tmp_path: Path) -> None:
    configured(tmp_path, ("acme", acme.url), extra="[routing]\nmax_attempts = 1")

    with Program("serve", "--port", "0", "--log", "text", folder=tmp_path) as program:
        for _ in range(2):
            ask(program.url())
        acme.status = 500
        ask(program.url())
        program.says(r"✗ small: nobody answered, .*, after acme \(status 500\)")
        assert 0 == program.stop()

    assert re.search(r"✓ first call: small via acme, \d+ ms, 0\.201 sat\n", program.stderr)
    assert 1 == program.stderr.count("✓ first call") == program.stderr.count("small via acme")
    assert "" == program.stdout


def test_people_who_want_it_get_every_call(acme: Provider, tmp_path: Path) -> None:
    configured(tmp_path, ("acme", acme.url))

    with Program("serve", "--port", "0", "--log", "text", "-v", folder=tmp_path) as program:
        for _ in range(2):
            ask(program.url())
        assert 0 == program.stop()

    assert 2 == program.stderr.count("✓ small via acme")


def test_a_taken_port_is_a_failure_that_names_another(acme: Provider, tmp_path: Path) -> None:
    configured(tmp_path, ("acme", acme.url))

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Program("serve", "--port", str(port), folder=tmp_path) as program:
            assert 1 == program.end()

    assert f"error: Port {port} of 127.0.0.1 is taken" in program.stderr
    assert "hint: satisfice serve --port " in program.stderr


def test_a_file_with_errors_is_refused_with_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "satisfice.toml").write_text("[server]\nport = 70_000\n\n[sever]\n")

    with Program("serve", folder=tmp_path) as program:
        assert 3 == program.end()

    assert ["bad-value", "unknown-key"] == re.findall(r"error\[(.*?)\]", program.stderr)
    assert "" == program.stdout


@pytest.mark.parametrize(
    ("config", "fix"),
    [
        (None, "export SATISFICE_TOKEN=$(openssl rand -hex 32)\n"),
        ("", 'and access_token = "env:SATISFICE_TOKEN" under [server] in satisfice.toml\n'),
    ],
)
def test_other_machines_are_not_let_in_without_a_token(
    config: str | None, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SATISFICE_TOKEN", raising=False)
    if config is not None:
        Path("satisfice.toml").write_text(config)

    assert 3 == run(["serve", "--host", "0.0.0.0"])  # noqa: S104 - to be refused

    shown = capsys.readouterr().err
    assert "Other machines could reach 0.0.0.0, and spend your money: there is no access token." in shown
    assert fix in shown
    assert "satisfice serve --host 127.0.0.1" in shown


def test_without_a_file_the_token_of_the_environment_is_asked_for(acme: Provider, tmp_path: Path) -> None:
    env = {"SATISFICE_TOKEN": "right"}
    with Program("serve", "--port", "0", "--host", "0.0.0.0", folder=tmp_path, env=env, python=here(acme)) as program:  # noqa: S104 - its token is asked for
        with asking(program.url(), key="wrong") as response:
            assert 401 == response.status
        with asking(program.url(), key="right") as response:
            assert 200 == response.status
        assert 0 == program.stop()


def test_other_machines_are_let_in_with_a_key_of_their_own(acme: Provider, tmp_path: Path) -> None:
    keys = '[[keys]]\nname = "laptop"\nkey = "env:LAPTOP"\n'
    configured(tmp_path, ("acme", acme.url), extra=keys)
    with Program("serve", "--port", "0", "--host", "0.0.0.0", folder=tmp_path, env={"LAPTOP": "right"}) as program:  # noqa: S104 - as above
        for key, status in (("wrong", 401), ("right", 200)):
            with asking(program.url(), key=key) as response:
                assert status == response.status
        assert 0 == program.stop()


def here(acme: Provider, openai: Provider | None = None) -> tuple[str, ...]:
    """A satisfice that takes these for Ollama and for OpenAI."""
    known = f"(e.KnownProvider('openai', 'OPENAI_API_KEY', {openai.url!r}), *e.KNOWN_PROVIDERS[1:])" if openai else "()"
    code = f"""
import satisfice.config.environment as e
others = (each._replace(port=at) for at, each in enumerate(e.LOCAL_SERVERS[1:], 1))
e.LOCAL_SERVERS = (e.LocalServer("ollama", {acme.port}), *others)
e.KNOWN_PROVIDERS = {known}
from satisfice.cli.main import main
main()
"""
    return (sys.executable, "-c", code)


def test_without_a_file_it_prints_what_the_page_says(tmp_path: Path) -> None:
    models = ("gpt-4o", *(f"gpt-{number}" for number in range(40)))
    with provider("a", "b", "c") as ollama, provider(*models) as openai:
        env = {"OPENAI_API_KEY": "sk-canary-0123456789"}
        python = here(ollama, openai)
        with Program("serve", "--port", "0", "--log", "text", folder=tmp_path, env=env, python=python) as program:
            program.says("what can be asked for")
            ask(program.url(), model="gpt-4o")
            assert 0 == program.stop()

    assert "Bearer sk-canary-0123456789" in openai.keys
    shown = program.stderr.replace(f"localhost:{ollama.port}".ljust(20), "localhost:11434".ljust(20))
    for used, usual in enumerate((8080, 8000, 1234), 1):
        shown = re.sub(rf"localhost:{used}\b", f"localhost:{usual}", shown)
    assert sorted(steady(sample("satisfice serve").output + "  stopping\n  stopped\n").splitlines()) == sorted(
        steady(shown).splitlines()
    )


@pytest.mark.parametrize("log", [(), ("--log", "text")])
def test_with_nothing_to_serve_it_says_what_it_looked_for_and_what_to_do(tmp_path: Path, log: tuple[str, ...]) -> None:
    with Program("serve", "--port", "0", *log, folder=tmp_path, python=(sys.executable, *NOTHING)) as program:
        assert 0 == program.end()

    assert "There is nothing to serve" in program.stderr
    assert "OPENAI_API_KEY" in program.stderr
    assert ["satisfice demo", "satisfice init"] == re.findall(r"Next: (.*?)  \(", program.stderr)
    assert "" == program.stdout


STATE = Path(".local/state/satisfice/memory.json")
ONCE = "[routing]\nmax_attempts = 1\n"


def fail(program: Program, acme: Provider, times: int = 3) -> str:
    """The last of so many answers while the provider is broken."""
    acme.status = 500
    return [ask(program.url()) for _ in range(times)][-1]


def test_what_is_learnt_is_known_after_a_restart(acme: Provider, tmp_path: Path) -> None:
    configured(tmp_path, ("acme", acme.url), extra=ONCE)
    answers = []
    for _ in range(2):
        with Program("serve", "--port", "0", folder=tmp_path) as program:
            answers.append(fail(program, acme))
            assert 0 == program.stop()

    assert [False, True] == ["circuit_open" in answer for answer in answers]
    assert 3 == len(acme.keys)
    assert 0o600 == stat.S_IMODE((tmp_path / STATE).stat().st_mode)


@pytest.mark.parametrize(
    ("setting", "env", "kept"),
    [
        ("", {}, STATE),
        ("", {"HOME": ""}, None),
        ('state_dir = ""', {}, None),
        ('state_dir = "here"', {}, Path("here/memory.json")),
    ],
    ids=["at home", "without a home", "switched off", "elsewhere"],
)
def test_it_is_kept_where_the_settings_say(
    acme: Provider, tmp_path: Path, setting: str, env: Mapping[str, str], kept: Path | None
) -> None:
    configured(tmp_path, ("acme", acme.url), extra=f"[server]\n{setting}\n{ONCE}")
    with Program("serve", "--port", "0", folder=tmp_path, env=env) as program:
        fail(program, acme, times=1)
        assert 0 == program.stop()

    assert ([] if kept is None else [tmp_path / kept]) == list(tmp_path.rglob("memory.json"))


def test_what_can_not_be_read_is_told_and_left_behind(acme: Provider, tmp_path: Path) -> None:
    configured(tmp_path, ("acme", acme.url), extra=ONCE)
    (tmp_path / STATE).parent.mkdir(parents=True)
    (tmp_path / STATE).write_text("{")
    with Program("serve", "--port", "0", "--log", "text", folder=tmp_path) as program:
        program.says(f"! what was learnt before is lost; .*{STATE.name}: it is damaged")
        fail(program, acme)
        assert 0 == program.stop()

    assert "version" in json.loads((tmp_path / STATE).read_text())


CANARIES: Mapping[str, str] = {
    "OPENAI_API_KEY": "canary-openai-0123456789",
    "SATISFICE_TOKEN": "canary-token-0123456789",
    "GONE_KEY": "canary-gone-0123456789",
    "HTTPS_PROXY": "http://user:canary-proxy-0@127.0.0.1:1",
}
SECRETIVE = """
[server]
access_token = "env:SATISFICE_TOKEN"

[[providers]]
name = "proxied"
url = "https://proxied.invalid/v1"
proxy = "http://user:canary-proxy-1@127.0.0.1:1"
[[providers.models]]
id = "small"
free = true

[[providers]]
name = "gone"
url = "http://127.0.0.1:1/v1"
key = "env:GONE_KEY"
[[providers.models]]
id = "small"
free = true

[[providers]]
name = "environed"
url = "https://environed.invalid/v1"

[[providers]]
name = "literal"
url = "{url}"
key = "canary-literal-0123456789"
"""


@pytest.mark.parametrize("log", ["text", "json"])
def test_no_secret_and_nothing_of_a_prompt_is_ever_printed(acme: Provider, tmp_path: Path, log: str) -> None:
    """Keys in the file and in the environment, passwords of proxies, the access token, and a provider that quotes."""
    (tmp_path / "satisfice.toml").write_text(SECRETIVE.format(url=acme.url))
    acme.status = 500
    env = {**CANARIES, "SATISFICE_DEBUG": "1"}

    with Program("serve", "--port", "0", "--log", log, "-v", folder=tmp_path, env=env) as program:
        url = program.url()
        program.says("literal")
        for stream in (False, True):
            answer = ask(url, prompt="canary-prompt", stream=stream, key=CANARIES["SATISFICE_TOKEN"])
            assert "upstream_failed" in answer
            ask(url, prompt="canary-prompt", stream=stream, key="canary-wrong-key")
        assert 0 == program.stop()

    assert "Bearer canary-literal-0123456789" in acme.keys
    assert "canary" not in program.stdout + program.stderr
    assert "" != program.stdout + program.stderr


@pytest.mark.parametrize("command", [("check",), ("check", "--json"), ("models",), ("offers", "--json")])
def test_nor_by_other_commands(acme: Provider, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "satisfice.toml").write_text(SECRETIVE.format(url=acme.url) + 'kye = "canary-misspelt"\n')

    with Program(*command, folder=tmp_path, env=CANARIES) as program:
        assert 3 == program.end()

    assert "canary" not in program.stdout + program.stderr
