"""Rules that recur from table to table: names told apart, two lists without overlap, one number at most another."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from satisfice.config.problems import Code
from satisfice.config.reading import Entry, Reader

__all__ = ["keep_order", "refuse_overlap", "refuse_twins"]

_AnyEntry = Entry[msgspec.Struct]


def refuse_twins(reader: Reader, entries: Sequence[_AnyEntry], *, key: str) -> None:
    """No two entries may have the same name under this key."""
    first: dict[str, _AnyEntry] = {}
    for entry in entries:
        name = entry.raw.get(key)
        if isinstance(name, str) and (twin := first.setdefault(name, entry)) is not entry:
            line = reader.line_of((*twin.path, key))
            hint = f"line {line} has it already: change one of them"
            reader.note(Code.DUPLICATE, (*entry.path, key), message=f"`{key}` is `{name}` once more", hint=hint)


def refuse_overlap(reader: Reader, entry: _AnyEntry, *, one: str, other: str) -> None:
    """What one list has, the other may not have."""
    listed, contrary = entry.raw.get(one), entry.raw.get(other)
    if not isinstance(listed, list) or not isinstance(contrary, list):
        return
    for number, each in enumerate(contrary):
        if isinstance(each, str) and each in listed:
            message = f"`{each}` is under `{one}` as well as under `{other}`"
            path = (*entry.path, other, number)
            reader.note(Code.CONFLICT, path, message=message, hint="drop one of the two")


def keep_order(reader: Reader, entry: _AnyEntry, *, low: str, high: str, hint: str) -> None:
    """The number under one key is no more than that under the other."""
    lesser, greater = (getattr(entry.value, name, None) for name in (low, high))
    if lesser is not None and greater is not None and lesser > greater:
        name = low if low in entry.raw else high
        message = f"`{low}` ({_shown(lesser)}) is more than `{high}` ({_shown(greater)})"
        reader.note(Code.CONFLICT, (*entry.path, name), message=message, hint=hint)


def _shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
