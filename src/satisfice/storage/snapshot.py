"""One small file that is replaced as a whole: what may be lost with the last minute, but never be half there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["load", "save"]

_MOST: Final = 64 << 20


def load(path: Path) -> bytes | None:
    """What was saved last; None if nothing was. `OSError` if it can't be read or is absurdly large."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except FileNotFoundError:
        return None
    if len(data) > _MOST:
        raise OSError(f"{path} has more than {_MOST >> 20} MiB")
    return data


def save(path: Path, data: bytes) -> None:
    """Replace the file, so that after a crash at any instant the old or the new one is there; or `OSError`.

    Only its owner can read it: it tells which providers are used.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 600
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
