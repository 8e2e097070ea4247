"""Starting and stopping: open calls end in peace, or are cut off honestly."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.cli.hosting import run
from tests.cli.caller import asking
from tests.cli.program import Program
from tests.cli.provider import Provider, provider


@pytest.fixture
def acme() -> Iterator[Provider]:
    with provider("small") as server:
        yield server


def serving(acme: Provider, folder: Path, *, drain: float = 30) -> Program:
    config = folder / "satisfice.toml"
    config.write_text(
        f'[server]\nport = 0\ndrain_timeout = {drain}\n[[providers]]\nname = "acme"\nurl = "{acme.url}"\n'
        '[[providers.models]]\nid = "small"\ninput_msat_per_mtok = 1\noutput_msat_per_mtok = 1\n'
    )
    return Program("serve", folder=folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_open_calls_end(acme: Provider, tmp_path: Path, number: signal.Signals) -> None:
    with (
        serving(acme, tmp_path) as program,
        asking(program.url(), stream=True) as response,
    ):
        assert b"Yes" in response.readline()
        program.send(number)
        program.says(r'"event":"stopping".*"open_calls":1')
        acme.more.set()

        assert response.read().endswith(b"data: [DONE]\n\n")
        assert 0 == program.end()

    assert '"outcome":"answered"' in program.stdout
    assert '"cut_calls":0' in program.stdout


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_them_off_and_says_so(acme: Provider, tmp_path: Path, second: signal.Signals) -> None:
    with (
        serving(acme, tmp_path) as program,
        asking(program.url(), stream=True) as response,
    ):
        response.readline()
        program.send(signal.SIGTERM)
        program.says('"event":"stopping"')
        program.send(second)

        assert "draining" == _error(response.read())
        assert 0 == program.end()

    assert '"cut_calls":1' in program.stdout


def test_what_does_not_end_in_time_is_cut_off_and_told_so(acme: Provider, tmp_path: Path) -> None:
    with (
        serving(acme, tmp_path, drain=0) as program,
        asking(program.url(), stream=True) as response,
    ):
        response.readline()
        program.send(signal.SIGTERM)

        assert "draining" == _error(response.read())
        assert 0 == program.end()

    assert '"outcome":"cut"' in program.stdout
    assert '"cut_calls":1' in program.stdout


def test_once_it_is_stopping_nobody_is_let_in(acme: Provider, tmp_path: Path) -> None:
    with (
        serving(acme, tmp_path) as program,
        asking(program.url(), stream=True) as response,
    ):
        response.readline()
        program.send(signal.SIGTERM)
        program.says('"event":"stopping"')

        with pytest.raises(ConnectionError), asking(program.url()):
            pass

        acme.more.set()
        response.read()
        assert 0 == program.end()


def test_a_coroutine_runs_on_the_fastest_loop_there_is() -> None:
    async def main() -> int:
        return len(type(asyncio.get_running_loop()).__module__)

    assert len("uvloop") == run(main())


def test_what_lives_as_long_as_the_process_is_not_collected_again_and_again(tmp_path: Path) -> None:
    code = """
import gc
from satisfice.cli.hosting import spare_the_collector
spare_the_collector()
print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0])
"""
    with Program("-c", code, folder=tmp_path, python=(sys.executable,)) as program:
        assert 0 == program.end()

    assert "True 20000\n" == program.stdout


def _error(rest: bytes) -> str:
    """The code of the error with which a stream ends."""
    *_, last = (line for line in rest.splitlines() if line.startswith(b"data: "))
    code: str = json.loads(last.removeprefix(b"data: "))["error"]["code"]
    return code
