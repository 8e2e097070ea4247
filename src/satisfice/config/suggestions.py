"""What somebody may have meant by a name that means nothing where it stands."""

from __future__ import annotations

import msgspec

from satisfice.catalog.model import near_misses
from satisfice.config.schema import TABLES
from satisfice.config.tables import Table

__all__ = ["suggest"]

_AnyTable = Table[msgspec.Struct]


def suggest(name: str, table: _AnyTable) -> str:
    """The hint beside an unknown name: its name here, its place elsewhere, something like it, or all there is."""
    here = _names(table)
    if name.casefold() in here:
        return f"did you mean {here[name.casefold()]}?"
    elsewhere = {known: each for each in reversed(TABLES) if each is not table for known in _names(each)}
    if name in elsewhere:
        return _under(name, elsewhere[name])
    if near := near_misses(name, here, limit=1):
        return f"did you mean {here[near[0]]}?"
    if near := near_misses(name, elsewhere, limit=1):
        return _under(near[0], elsewhere[near[0]])
    return f"there are {', '.join(dict.fromkeys(here.values()))}"


def _names(table: _AnyTable) -> dict[str, str]:
    """What may be meant, by our names and by those that other programs use."""
    meanings = [(each.name, each.also, f"`{each.name}`") for each in table.settings]
    meanings += [(each.key, each.also, each.header) for each in table.tables]
    aliases = {alias: meaning for _, also, meaning in meanings for alias in also}
    return {name: meaning for name, _, meaning in meanings} | {
        alias: meaning for alias, meaning in aliases.items() if alias not in {name for name, _, _ in meanings}
    }


def _under(name: str, table: _AnyTable) -> str:
    meaning = _names(table)[name]
    return f"did you mean {meaning}?" if meaning.startswith("[") else f"{meaning} belongs under {table.header}"
