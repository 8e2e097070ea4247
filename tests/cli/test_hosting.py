"""Starting and stopping: open calls end in peace, or are cut off honestly."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.cli import hosting
from satisfice.cli.events import Called, Ready, Stopped
from satisfice.cli.hosting import Front, Host, host, run
from satisfice.cli.listening import listen, url_of
from satisfice.config.schema import ServerConfig
from satisfice.core.clock import SystemClock
from satisfice.engine.assembly import scripted_gateway
from satisfice.routing.policy import Asking
from satisfice.server.access import Access
from satisfice.transport.scenario import Scenario, ScriptedProvider, scenario
from satisfice.transport.script import Script
from satisfice.transport.scripted import ScriptedTransport
from satisfice.wire.openai_chat import OpenAIChat
from tests.build import a_body, an_offer
from tests.cli.caller import ask, asking
from tests.cli.following import Notes, nothing
from tests.cli.program import Program
from tests.cli.provider import Provider, provider
from tests.engine.stage import Caller


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


# In this process.


class Closing(ScriptedTransport):
    """It notes that it is closed."""

    is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True
        await super().aclose()


def a_front(play: Scenario, *, drain: float = 30.0) -> tuple[Front, Closing]:
    """A gateway of this demo, which is not started, and what is behind it."""
    clock = SystemClock()
    transport = Closing(play, clock)
    gateway = scripted_gateway(play, transport, clock=clock)
    return Front(gateway, ServerConfig(drain_timeout=drain), Access()), transport


@pytest.fixture
def _spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector of this process goes on as it did."""
    monkeypatch.setattr(hosting, "spare_the_collector", nothing)


@pytest.mark.usefixtures("_spared")
async def test_a_bug_beside_the_calls_is_told_and_they_go_on(caplog: pytest.LogCaptureFixture) -> None:
    log, [listening] = Notes(), listen("127.0.0.1", 0, command="")
    url = url_of([listening], "127.0.0.1")
    ready = Ready(time_ms=0, url=url, version="", config=None, needs_token=False)
    front, transport = a_front(scenario("demo"))

    async def beside(_: Host) -> None:
        raise ValueError("it broke")

    async with asyncio.TaskGroup() as group:
        group.create_task(host(front, sockets=[listening], log=log, ready=ready, beside=beside))
        await log.heard(Ready)
        assert "choices" in await asyncio.to_thread(ask, url, model="auto")
        assert "answered" == (await log.heard(Called)).outcome
        signal.raise_signal(signal.SIGTERM)

    await log.heard(Stopped)
    assert ["beside the calls: a bug of ours"] == caplog.messages
    assert transport.is_closed


@pytest.mark.usefixtures("_spared")
async def test_what_is_no_longer_served_is_stopped_once_its_calls_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "_GRACE", 0.001)
    stalls = Scenario((ScriptedProvider("acme", offers=(an_offer(),), scripts=(Script().stall(),)),))
    (front, transport), (other, _) = a_front(stalls), a_front(stalls, drain=5.0)
    gateway, body = front.gateway, a_body()
    server = Host(front, on_ready=nothing, on_stopping=nothing, on_call=lambda _job, _seen: None)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(gateway.answer(OpenAIChat(), body, asking=Asking(), headers=(), downstream=Caller()))
        await asyncio.sleep(0)
        server.take(other)
        draining = group.create_task(server.drain(gateway))
        await asyncio.sleep(0.01)
        assert (1, 5.0, False) == (server.open_calls, server.drain_timeout, transport.is_closed)

        call.cancel()
        await draining
        assert (0, True) == (server.open_calls, transport.is_closed)


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
