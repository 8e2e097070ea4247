"""Where what the gateway learns is kept: in the folder that the settings name, or in the one that is usual."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from satisfice.config.problems import Code, Unfit
from satisfice.config.references import Around, Outside

__all__ = ["StateFolder", "state_folder"]

_OWN: Final = "satisfice"


class StateFolder(Outside):
    """A folder, which need not be there yet; or none."""

    @property
    def what(self) -> str:
        """For people."""
        return 'the path of a folder, or "" for none'

    def read(self, value: object) -> str:
        """As it is, for `fetch`."""
        if value is False:
            raise Unfit(hint='write ""', code=Code.BAD_TYPE)
        return "" if value == "" else super().read(value)

    def fetch(self, value: str, around: Around) -> str:
        """Its path, from wherever the gateway runs; empty for none."""
        if not value:
            return ""
        path = around.path(value).absolute()
        if _is_taken(path):
            raise Unfit("is not a folder", hint="name another")
        return str(path)

    def schema(self) -> Mapping[str, object]:
        """A string."""
        return {"type": "string"}


def state_folder(named: str | None, env: Mapping[str, str]) -> Path | None:
    """The folder that is named; else the usual one, as far as the environment tells; None: nothing is to be kept.

    XDG Base Directory Specification 0.8.
    """
    if named is not None:
        return Path(named) if named else None
    chosen = Path(env.get("XDG_STATE_HOME", ""))
    if chosen.is_absolute():  # others are to be ignored
        return chosen / _OWN
    home = Path(env.get("HOME", ""))
    return home / ".local" / "state" / _OWN if home.is_absolute() else None


def _is_taken(path: Path) -> bool:
    """Something else is there; of what can't be looked at, nothing is said: it may be there when it is needed."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
