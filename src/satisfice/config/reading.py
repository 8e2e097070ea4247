"""Reads a document against the tables of the schema, and notes everything that doesn't fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from satisfice.config.problems import Code, Report, Unfit
from satisfice.config.references import Around, Outside, Sealed
from satisfice.config.spans import KeyPath, Spans
from satisfice.config.suggestions import suggest
from satisfice.config.tables import Setting, Table
from satisfice.config.values import name_of

__all__ = ["Entry", "Reader"]

_T = TypeVar("_T", bound=msgspec.Struct)
_T_co = TypeVar("_T_co", bound=msgspec.Struct, covariant=True)


class Entry(NamedTuple, Generic[_T_co]):
    """A table as the file has it, and as it was read."""

    path: KeyPath
    raw: Mapping[str, object]
    value: _T_co | None
    """None if a setting without a default is missing or unfit. Others that are unfit have their default here."""


class Reader:
    """One document being read."""

    def __init__(self, spans: Spans, report: Report, *, around: Around) -> None:
        """Note problems in the report."""
        self.around = around
        self._spans = spans
        self._report = report

    def file(self, table: Table[_T], document: Mapping[str, object]) -> Entry[_T]:
        """The document itself, read as a table."""
        return self._entry(table, document, path=())

    def one(self, table: Table[_T], within: Entry[msgspec.Struct]) -> Entry[_T]:
        """The table of this name, or one of defaults if there is none."""
        path = (*within.path, table.key)
        raw = within.raw.get(table.key, {})
        if isinstance(raw, dict):
            return self._entry(table, raw, path=path)
        instead = "a list" if isinstance(raw, list) else "a single value"
        message = f"`{table.key}` must be a table, not {instead}"
        self.note(Code.BAD_TYPE, path, message=message, hint=f"write {table.header}")
        return Entry(path, {}, table.shape())

    def many(self, table: Table[_T], within: Entry[msgspec.Struct]) -> tuple[Entry[_T], ...]:
        """The tables of this name, in their order."""
        path = (*within.path, table.key)
        raw = within.raw.get(table.key, [])
        entries = raw if isinstance(raw, list) else [raw]
        tables = [each for each in entries if isinstance(each, dict)]
        if entries is not raw or len(tables) < len(entries):
            self._must_be_list(table, raw, path=path)
            return ()
        return tuple(self._entry(table, each, path=(*path, number)) for number, each in enumerate(tables))

    def note(self, code: Code, path: KeyPath, *, message: str, hint: str, at_key: bool = False) -> None:
        """Note a problem with the value at the path, or with the key itself."""
        span = self._spans.key(path) if at_key else self._spans.value(path)
        self._report.add(code, span, message=message, hint=hint)

    def line_of(self, path: KeyPath) -> int:
        """In which line the value at the path begins."""
        return self._spans.value(path).line

    def _entry(self, table: Table[_T], raw: Mapping[str, object], *, path: KeyPath) -> Entry[_T]:
        values: dict[str, object] = {}
        settings = {each.name: each for each in table.settings}
        names_of_tables = {each.key for each in table.tables}
        for name, value in raw.items():
            if name in settings:
                values |= self._setting(settings[name], value, path=(*path, name))
            elif name not in names_of_tables:
                self._unknown(name, table, path=(*path, name))
        required = [each for each in table.settings if each.is_required]
        for setting in required:
            if setting.name not in raw:
                hint = f"add {setting.name} = {setting.example}"
                self.note(Code.MISSING_KEY, path, message=f"{table.header} needs `{setting.name}`", hint=hint)
        complete = all(each.name in values for each in required)
        return Entry(path, raw, msgspec.convert(values, table.shape) if complete else None)

    def _setting(self, setting: Setting, value: object, *, path: KeyPath) -> Mapping[str, object]:
        """The value under its name; nothing if it's unfit."""
        kind = setting.kind
        try:
            read = kind.read(value)
            if isinstance(kind, Outside) and isinstance(read, str):
                read = kind.fetch(read, self.around)
        except Unfit as unfit:
            instead = "" if kind.hides(str(value)) else f", not {name_of(value)}"
            why = unfit.why or f"must be {kind.what}{instead}"
            hint = unfit.hint or f"for example: {setting.name} = {setting.shown}"
            self.note(unfit.code, (*path, *unfit.at), message=f"`{setting.name}` {why}", hint=hint)
            return {}
        if isinstance(kind, Sealed) and isinstance(value, str) and kind.hides(value):
            message = f"the secret in `{setting.name}` stands in the file itself"
            self.note(Code.LITERAL_SECRET, path, message=message, hint=_MOVE_IT)
        return {setting.name: read}

    def _unknown(self, name: str, table: Table[_T], *, path: KeyPath) -> None:
        where = f"is not a setting of {table.header}" if table.name else "means nothing at the top of the file"
        self.note(Code.UNKNOWN_KEY, path, message=f"`{name}` {where}", hint=suggest(name, table), at_key=True)

    def _must_be_list(self, table: Table[_T], raw: object, *, path: KeyPath) -> None:
        """Say so; where somebody wrote `[table.name]`, with that name in the hint."""
        first = table.settings[0]
        names = [name for name, each in raw.items() if isinstance(each, dict)] if isinstance(raw, dict) else []
        example = json.dumps(names[0]) if names else first.example
        hint = f"write {table.header} and, in the next line, {first.name} = {example}"
        self.note(Code.BAD_TYPE, path, message=f"`{table.key}` must be a list of tables", hint=hint)


_MOVE_IT: Final = 'move it to a file of mode 600 and write "file:PATH", or to the environment and write "env:NAME"'
