"""What is learnt is in the file a minute later, whatever the disk does, and no call waits for it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from satisfice.core.clock import ManualClock
from satisfice.engine import keeper as module
from satisfice.engine.keeper import Keeper
from satisfice.engine.memory import Memory
from satisfice.storage import snapshot
from satisfice.storage.snapshot import load, save
from tests.build import an_offer

OFFER = an_offer()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """In real time, for a disk is waited for in a thread."""
    return "asyncio"


def learn(keeper: Keeper, tokens: int) -> None:
    """A call has taught something."""
    keeper.memory.lessons.learn_context(OFFER.id, tokens)
    keeper.note()


def recalled(path: Path) -> int | None:
    """The window that a process started now would know of."""
    memory = Memory(ManualClock())
    Keeper(memory, path).recall([OFFER])
    return memory.lessons.apply(OFFER).capabilities.context


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "memory.json"


@pytest.fixture
def keeper(path: Path) -> Keeper:
    return Keeper(Memory(ManualClock()), path)


async def test_what_is_saved_is_recalled(keeper: Keeper, path: Path) -> None:
    assert None is recalled(path)
    learn(keeper, 4_096)

    await keeper.save()

    assert 4_096 == recalled(path)


async def test_without_news_nothing_is_written(keeper: Keeper, path: Path) -> None:
    await keeper.save()
    assert None is recalled(path)
    learn(keeper, 4_096)
    await keeper.save()
    save(path, b"older")

    await keeper.save()

    assert b"older" == load(path)


async def test_another_memory_can_be_kept_in_the_same_file(keeper: Keeper, path: Path) -> None:
    keeper.memory = Memory(ManualClock())
    learn(keeper, 2_048)

    await keeper.save()

    assert 2_048 == recalled(path)


async def test_where_nothing_is_kept_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keeper = Keeper(Memory(ManualClock()), None)
    learn(keeper, 4_096)

    await keeper.save()
    keeper.recall([OFFER])

    assert [] == entries(tmp_path)


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"version":', "it is damaged: Input data was truncated"),
        (b'{"version":9}', "it is of version 9, and only version 1 is understood"),
    ],
)
def test_what_can_not_be_read_is_told_and_the_gateway_begins_anew(
    keeper: Keeper, path: Path, caplog: pytest.LogCaptureFixture, data: bytes, why: str
) -> None:
    save(path, data)

    keeper.recall([OFFER])

    assert [f"what was learnt before is lost; {path}: {why}"] == caplog.messages
    assert data == load(path), "an older program leaves what a newer one wrote, until it has something to say"


def test_what_is_no_file_is_told(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    Keeper(Memory(ManualClock()), tmp_path).recall([OFFER])

    assert [f"what was learnt before is lost; {tmp_path}: Is a directory"] == caplog.messages


def test_what_is_absurdly_large_is_told(
    keeper: Keeper, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_MOST", 3)
    save(path, b"four")

    keeper.recall([OFFER])

    assert "has more than" in caplog.text


def test_that_there_is_nothing_yet_is_not_worth_a_word(keeper: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    keeper.recall([OFFER])

    assert "" == caplog.text


async def test_a_disk_that_fails_is_told_of_once_until_it_works_again(
    keeper: Keeper, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    learn(keeper, 4_096)
    for _ in range(2):
        with full(monkeypatch):
            await keeper.save()
            await keeper.save()
        await keeper.save()
        assert 4_096 == recalled(path), "though nothing new has come"
        learn(keeper, 4_096)

    assert [f"what is learnt can't be kept in {path}: No space left on device"] * 2 == caplog.messages


@contextmanager
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk without room, meanwhile."""

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


class Slow:
    """A disk that is waited for, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_reached = threading.Event()
        self.let_go = threading.Event()
        self._sync = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, number: int) -> None:
        self.is_reached.set()
        assert self.let_go.wait(10.0)
        self._sync(number)


async def test_it_is_saved_now_and_then(keeper: Keeper, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PERIOD", 0.001)
    slow = Slow(monkeypatch)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(keeper.run())
        for tokens in (4_096, 2_048):
            slow.is_reached.clear()
            slow.let_go.clear()
            learn(keeper, tokens)
            assert await asyncio.to_thread(slow.is_reached.wait, 10.0)
            slow.let_go.set()
        running.cancel()
    await keeper.save()

    assert 2_048 == recalled(path)


async def test_what_is_learnt_meanwhile_is_news_and_an_older_save_never_comes_last(
    keeper: Keeper, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the gateway is told to stop while it saves."""
    slow = Slow(monkeypatch)
    learn(keeper, 4_096)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(keeper.save())
        assert await asyncio.to_thread(slow.is_reached.wait, 10.0)
        first.cancel()
        learn(keeper, 2_048)
        group.create_task(keeper.save())
        await asyncio.sleep(0)
        slow.let_go.set()

    assert 2_048 == recalled(path)
