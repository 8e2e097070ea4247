"""That the file is there as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from satisfice.storage import snapshot
from satisfice.storage.snapshot import load, save


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.json"

    assert load(path) is None
    save(path, b"one")
    save(path, b"two")

    assert b"two" == load(path)
    assert [path] == list(path.parent.iterdir())


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    save(tmp_path / "new" / "state.json", b"")

    assert 0o600 == stat.S_IMODE((tmp_path / "new" / "state.json").stat().st_mode)
    assert 0o700 == stat.S_IMODE((tmp_path / "new").stat().st_mode)


def test_what_fails_on_the_way_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    save(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, b"new")

    assert b"old" == load(path)
    assert [path] == list(tmp_path.iterdir())


def test_an_absurdly_large_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_MOST", 3)
    path = tmp_path / "state.json"
    save(path, b"four")

    with pytest.raises(OSError, match="more than"):
        load(path)
