"""A changed file is put into force while calls go on, and one that can't be used changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from satisfice.cli import hosting
from satisfice.cli import reloading as module
from satisfice.cli.events import Looked, NotReloaded, Reloaded
from satisfice.cli.exits import Misconfigured
from satisfice.cli.plan import Plan
from satisfice.cli.reloading import FileWatch
from satisfice.config.schema import ServerConfig
from tests.cli.caller import ask, asking
from tests.cli.following import nothing, reloading, write
from tests.cli.program import Program
from tests.cli.provider import Provider, provider

QUICK = """
import satisfice.cli.reloading as r
r._PERIOD, r._PATIENCE = 0.02, 0.2
from satisfice.cli.main import main
main()
"""


@pytest.fixture
def acme() -> Iterator[Provider]:
    with provider("small") as server:
        yield server


@pytest.fixture
def bell() -> Iterator[Provider]:
    with provider("small") as server:
        yield server


def serving(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Program:
    """A gateway that looks at its file more often than usual."""
    return Program(
        "serve", "--port", "0", *arguments, folder=folder, env=env or {}, python=(sys.executable, "-c", QUICK)
    )


def looked(program: Program) -> str:
    """Its address, once it knows what its providers have."""
    program.says('"event":"looked"')
    return program.url()


def told(program: Program, event: str) -> list[dict[str, Any]]:
    """What it told of this so far."""
    lines = [json.loads(line) for line in program.stdout.splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PERIOD", 0.02)
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    monkeypatch.setattr(hosting, "spare_the_collector", nothing)


# The file.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.toml"
    path.write_text("one")
    return path


def test_a_file_that_is_as_it_was_has_not_changed(file: Path) -> None:
    watch = FileWatch(file)

    assert [False, False] == [watch.has_changed(), watch.has_changed()]


def test_a_file_that_is_being_written_is_waited_for(file: Path) -> None:
    watch = FileWatch(file)
    seen = []
    for text in ("t", "tw", "two", "two"):
        file.write_text(text) if text != file.read_text() else None
        seen.append(watch.has_changed())

    assert [False, False, False, True] == seen
    watch.note()
    assert [False, False] == [watch.has_changed(), watch.has_changed()]


def test_a_file_that_takes_its_place_is_another_though_it_looks_the_same(file: Path) -> None:
    """As editors do it, and Kubernetes."""
    watch = FileWatch(file)
    status, other = file.stat(), file.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)

    assert [False, True] == [watch.has_changed(), watch.has_changed()]


def test_a_file_that_goes_and_comes_back_has_changed_each_time(file: Path) -> None:
    watch = FileWatch(file)
    for change in (file.unlink, lambda: file.write_text("one")):
        change()
        assert [False, True] == [watch.has_changed(), watch.has_changed()]
        watch.note()


def test_a_file_that_is_gone_for_a_moment_has_not_changed_until_it_is_back(file: Path) -> None:
    watch = FileWatch(file)
    file.unlink()
    assert not watch.has_changed()
    file.write_text("two, and more")

    assert [False, True] == [watch.has_changed(), watch.has_changed()]


# What is in force.


def test_new_calls_go_by_the_changed_file_and_open_ones_go_on(acme: Provider, bell: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme)
    with serving(tmp_path) as program, asking(looked(program), stream=True) as response:
        response.readline()
        write(tmp_path, bell)
        program.says('"event":"reloaded".*"open_calls":1')
        asked = len(bell.keys)
        ask(program.url())
        assert asked + 1 == len(bell.keys)

        acme.more.set()
        assert response.read().endswith(b"data: [DONE]\n\n")
        assert 0 == program.stop()

    assert [("answered", "p0")] * 2 == [(call["outcome"], call["provider"]) for call in told(program, "call")]
    assert "" == program.stderr


def test_so_they_do_on_a_signal_though_the_file_is_the_same(acme: Provider, tmp_path: Path) -> None:
    """What it leads to may have changed: a key in a file of its own."""
    (tmp_path / "key").write_text("first")
    (tmp_path / "key").chmod(0o600)
    write(tmp_path, acme, more='key = "file:key"\n')
    with serving(tmp_path) as program:
        looked(program)
        (tmp_path / "key").write_text("second")
        program.send(signal.SIGHUP)
        program.says('"event":"reloaded"')
        ask(program.url())
        assert 0 == program.stop()

    assert ["Bearer first", "Bearer second", "Bearer second"] == acme.keys


def test_people_are_told_what_is_in_force_and_what_the_providers_have(
    acme: Provider, bell: Provider, tmp_path: Path
) -> None:
    write(tmp_path, acme)
    with serving(tmp_path, "--log", "text") as program:
        program.says("1 model from 1 provider")
        write(tmp_path, acme, bell)
        program.says("✓ new calls go by satisfice.toml as it is now\n")
        program.says("1 model from 2 providers")
        assert 0 == program.stop()

    assert 1 == program.stderr.count("Next: curl")


@pytest.mark.usefixtures("_quick")
async def test_a_provider_that_keeps_us_waiting_does_not_hold_the_others_up(
    acme: Provider, bell: Provider, tmp_path: Path
) -> None:
    write(tmp_path, acme)
    async with reloading(tmp_path) as scene:
        await scene.log.heard(Looked)
        acme.is_mute = True
        write(tmp_path, acme, bell)
        await scene.log.heard(Reloaded)

        assert ["small@p1"] == [offer.id for offer in scene.front.gateway.catalog.offers]


def test_the_former_gateway_looks_for_no_more_models(acme: Provider, bell: Provider, tmp_path: Path) -> None:
    restless = f"from satisfice.discovery.feeds import ModelListSource\nModelListSource.period = 0.01\n{QUICK}"
    write(tmp_path, acme)
    with Program("serve", "--port", "0", folder=tmp_path, python=(sys.executable, "-c", restless)) as program:
        acme.asked(4)
        write(tmp_path, bell)
        program.says('"event":"reloaded"')
        asked, more = len(acme.keys), len(bell.keys) + 10
        bell.asked(more + 1)
        assert 0 == program.stop()

    assert len(acme.keys) <= asked + 1, "one may have been on its way"


def test_who_is_left_alone_stays_so_under_the_changed_file(acme: Provider, tmp_path: Path) -> None:
    acme.status = 500
    once = "[routing]\nmax_attempts = 1\n"
    write(tmp_path, acme, more=once)
    with serving(tmp_path) as program:
        looked(program)
        for _ in range(3):
            ask(program.url())
        program.says("small@p0 is left alone")
        write(tmp_path, acme, server="max_body_mib = 1", more=once)
        program.says('"event":"reloaded"')
        asked = len(acme.keys)
        assert "circuit_open" in ask(program.url())
        assert 0 == program.stop()

    assert asked == len(acme.keys)


def test_callers_need_the_new_token_at_once(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme, server='access_token = "env:OLD"')
    with serving(tmp_path, env={"OLD": "old-token", "NEW": "new-token"}) as program:
        url = program.url()
        write(tmp_path, acme, server='access_token = "env:NEW"')
        program.says('"event":"reloaded"')

        assert "The access token is wrong" in ask(url, key="old-token")
        assert '"Yes."' in ask(url, key="new-token")
        assert 0 == program.stop()


@pytest.mark.usefixtures("_quick")
async def test_what_can_not_change_is_named_each_time(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme, server="port = 1")
    named = []
    async with reloading(tmp_path) as scene:
        for server in ('host = "::1"\nport = 2\nstate_dir = ""', 'host = "::1"\nport = 1', "port = 1"):
            write(tmp_path, acme, server=server)
            named.append((await scene.log.heard(Reloaded)).needs_restart)

    assert [("host", "port", "state_dir"), ("host",), ()] == named


@pytest.mark.usefixtures("_quick")
async def test_warnings_are_told(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme)
    async with reloading(tmp_path) as scene:
        write(tmp_path, acme, more='key = "canary-0123456789"')
        told = await scene.log.heard(Reloaded)

    assert ["literal-secret"] == [each.code for each in told.problems]
    assert "canary" not in repr(told)


@pytest.mark.usefixtures("_quick")
async def test_what_is_learnt_from_then_on_is_kept(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme)
    async with reloading(tmp_path) as scene:
        before = scene.keeper.memory
        write(tmp_path, acme, server="max_body_mib = 1")
        await scene.log.heard(Reloaded)

        assert before is not scene.keeper.memory is scene.front.gateway.memory


def test_a_shorter_drain_counts_for_calls_that_are_open(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme, server="drain_timeout = 600")
    with serving(tmp_path) as program, asking(looked(program), stream=True) as response:
        response.readline()
        write(tmp_path, acme, server="drain_timeout = 0")
        program.says('"event":"reloaded"')

        program.send(signal.SIGTERM)
        assert b"draining" in response.read()
        assert 0 == program.end()

    assert [(1, 0)] == [(event["open_calls"], event["seconds"]) for event in told(program, "stopping")]
    assert [1] == [event["cut_calls"] for event in told(program, "stopped")]


# What is not.


@pytest.mark.usefixtures("_quick")
async def test_all_that_is_wrong_in_a_file_is_told_and_no_secret(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme)
    async with reloading(tmp_path) as scene:
        before = scene.front
        write(
            tmp_path, acme, server='port = 70_000\nmastre_key = "canary-0123456789"', more='key = "canary-9876543210"'
        )
        told = await scene.log.heard(NotReloaded)

        assert before is scene.front
    assert (str(tmp_path / "satisfice.toml"), "2 errors, 1 warning") == (told.config, told.reason)
    assert [("bad-value", 2, 8), ("unknown-key", 3, 1), ("literal-secret", 8, 7)] == [
        (each.code, each.line, each.column) for each in told.problems
    ]
    assert all(each.hint for each in told.problems)
    assert "canary" not in repr(told)


@pytest.mark.usefixtures("_quick")
async def test_a_file_without_a_provider_leaves_the_old_one_in_force(acme: Provider, tmp_path: Path) -> None:
    """It is likelier to be half written than to be meant."""
    write(tmp_path, acme)
    async with reloading(tmp_path) as scene:
        write(tmp_path)

        assert "it names no provider" == (await scene.log.heard(NotReloaded)).reason


def test_a_pipe_is_not_read_again(acme: Provider, tmp_path: Path) -> None:
    """As in `serve --config <(make-a-file)`; to open it once more would wait for ever."""
    write(tmp_path, acme)
    code = f"""
import os, sys
reading, writing = os.pipe()
os.write(writing, open("satisfice.toml", "rb").read())
os.close(writing)
sys.argv += ["--config", f"/dev/fd/{{reading}}"]
{QUICK}"""
    with Program("serve", "--port", "0", folder=tmp_path, python=(sys.executable, "-c", code)) as program:
        looked(program)
        program.send(signal.SIGHUP)
        program.says('"event":"not_reloaded".*"reason":"it can be read only once"')
        assert 0 == program.stop()


@pytest.mark.usefixtures("_quick")
async def test_settings_that_the_server_can_not_have_leave_the_old_ones_in_force(
    acme: Provider, tmp_path: Path
) -> None:
    write(tmp_path, acme)

    def settle(made: Plan, bound: str | None) -> ServerConfig:
        raise Misconfigured(f"{bound} can't be reached like that.")

    async with reloading(tmp_path, settle=settle) as scene:
        write(tmp_path, acme, server="max_body_mib = 1")

        assert "127.0.0.1 can't be reached like that." == (await scene.log.heard(NotReloaded)).reason


def test_a_file_that_is_gone_leaves_what_it_said_in_force(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme)
    with serving(tmp_path, "--log", "text") as program:
        program.says("1 model from 1 provider")
        (tmp_path / "satisfice.toml").unlink()
        program.says(r"satisfice\.toml: error\[unreadable\]: the file can't be read: no such file")
        assert '"Yes."' in ask(program.url())

        write(tmp_path, acme)
        program.says("new calls go by satisfice.toml as it is now")
        assert 0 == program.stop()


def test_a_changed_file_opens_nobody_a_door_that_was_locked(acme: Provider, tmp_path: Path) -> None:
    """It says that other machines can't reach us, and so needs no token; but they can, until we are started anew."""
    write(tmp_path, acme, server='host = "0.0.0.0"\naccess_token = "env:TOKEN"')
    with serving(tmp_path, env={"TOKEN": "right"}) as program:
        url = program.url()
        write(tmp_path, acme, server='host = "127.0.0.1"')
        program.says('"event":"not_reloaded".*Other machines could reach 0.0.0.0')

        assert "The access token is wrong" in ask(url, key="wrong")
        assert 0 == program.stop()


def test_without_a_file_a_signal_says_so(acme: Provider, tmp_path: Path) -> None:
    code = f"""
import satisfice.config.environment as e
e.LOCAL_SERVERS = (e.LocalServer("ollama", {acme.port}),)
from satisfice.cli.main import main
main()
"""
    with Program("serve", "--port", "0", folder=tmp_path, python=(sys.executable, "-c", code)) as program:
        looked(program)
        program.send(signal.SIGHUP)
        program.says('"event":"not_reloaded".*"config":null,"reason":"there is no configuration file"')
        assert '"Yes."' in ask(program.url())
        assert 0 == program.stop()


# The end.


@pytest.mark.usefixtures("_quick")
async def test_what_is_cancelled_while_providers_are_asked_leaves_nothing_open(
    acme: Provider, bell: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 60.0)
    write(tmp_path, acme)
    tasks = len(asyncio.all_tasks())
    async with reloading(tmp_path) as scene:
        before = scene.front
        bell.is_mute = True
        write(tmp_path, bell)
        await asyncio.to_thread(bell.asked, 1)

    assert before is scene.front
    assert tasks == len(asyncio.all_tasks())


@pytest.mark.usefixtures("_quick")
async def test_it_is_read_again_on_a_signal(acme: Provider, tmp_path: Path) -> None:
    write(tmp_path, acme)
    async with reloading(tmp_path) as scene:
        os.kill(os.getpid(), signal.SIGHUP)

        assert str(tmp_path / "satisfice.toml") == (await scene.log.heard(Reloaded)).config


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_does_not_wait_for_the_file(
    acme: Provider, bell: Provider, tmp_path: Path, number: signal.Signals
) -> None:
    patient = QUICK.replace("0.2", "60.0")
    write(tmp_path, acme)
    with Program("serve", "--port", "0", folder=tmp_path, python=(sys.executable, "-c", patient)) as program:
        looked(program)
        bell.is_mute = True
        write(tmp_path, bell)
        bell.asked(1)
        began = time.monotonic()
        program.send(number)
        assert 0 == program.end()

    assert time.monotonic() - began < 5.0
    assert [] == told(program, "reloaded")
    assert [0] == [event["cut_calls"] for event in told(program, "stopped")]


def test_who_closes_the_terminal_stops_the_gateway(acme: Provider, tmp_path: Path) -> None:
    """It comes as the same signal, and a gateway that nobody sees would keep the port."""
    write(tmp_path, acme)
    ours, its = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "satisfice", "serve", "--port", "0", "--log", "json"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=its,
    )
    os.close(its)
    with process:
        assert process.stdout is not None
        assert b'"event":"ready"' in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        while b'"event":"reloaded"' not in process.stdout.readline():
            assert process.poll() is None

        os.close(ours)
        process.send_signal(signal.SIGHUP)

        assert 0 == process.wait(30.0)
