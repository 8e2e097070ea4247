"""The operator's own names for models, from their tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from satisfice.catalog.model import AUTO
from satisfice.catalog.names import ANY, Named
from satisfice.config.callers import NamedTable
from satisfice.config.problems import Code
from satisfice.config.reading import Entry, Reader
from satisfice.config.rules import refuse_twins
from satisfice.config.spans import KeyPath

__all__ = ["named_models"]


def named_models(entries: Sequence[Entry[NamedTable]], reader: Reader) -> tuple[Named, ...]:
    """The names as far as they are right."""
    refuse_twins(reader, entries, key="name")
    _refuse_ambiguous(entries, reader)
    for entry in entries:
        _refuse_auto(entry, reader)
        _check_meaning(entry, reader)
    return tuple(
        Named(name=table.name, aliases=table.aliases, any_of=table.any_of, policy=table.policy)
        for _, _, table in entries
        if table
    )


def _refuse_ambiguous(entries: Sequence[Entry[NamedTable]], reader: Reader) -> None:
    """An alias means one model, and no name means another."""
    first: dict[object, KeyPath] = {
        entry.raw["name"]: (*entry.path, "name") for entry in entries if isinstance(entry.raw.get("name"), str)
    }
    for path, alias in _listed(entries, "aliases"):
        if (twin := first.setdefault(alias, path)) is not path and twin[:-1] != path[:-1]:
            message = f"`{alias}` is a name or an alias already"
            hint = f"line {reader.line_of(twin)} has it: drop one of the two"
            reader.note(Code.DUPLICATE, path, message=message, hint=hint)


def _refuse_auto(entry: Entry[NamedTable], reader: Reader) -> None:
    if entry.raw.get("name") == AUTO:
        message = f"`{AUTO}` has a meaning already: whichever model is cheapest"
        reader.note(Code.BAD_VALUE, (*entry.path, "name"), message=message, hint='choose another name, such as "fast"')
    for key, hint in (("aliases", "drop it"), ("any_of", f'write "{ANY}" for any model')):
        for path, model in _listed([entry], key):
            if model == AUTO:
                reader.note(Code.BAD_VALUE, path, message=f"`{AUTO}` is no model's name", hint=hint)


def _check_meaning(entry: Entry[NamedTable], reader: Reader) -> None:
    """A name is for one model or for a choice of some."""
    if "aliases" in entry.raw and "any_of" in entry.raw:
        message = "`any_of` contradicts `aliases`: a name is for one model, or for a choice of some"
        path = (*entry.path, "any_of")
        reader.note(Code.CONFLICT, path, message=message, hint="keep one of the two", at_key=True)
    elif "aliases" not in entry.raw and "any_of" not in entry.raw:
        message = "[[models]] needs `aliases` or `any_of`"
        hint = 'add aliases = ["openai/gpt-4o"] or any_of = ["gpt-4o-mini"]; prices belong under [[providers.models]]'
        reader.note(Code.MISSING_KEY, entry.path, message=message, hint=hint)


def _listed(entries: Sequence[Entry[NamedTable]], key: str) -> Iterator[tuple[KeyPath, str]]:
    for entry in entries:
        listed = entry.raw.get(key)
        for number, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, str):
                yield (*entry.path, key, number), each
