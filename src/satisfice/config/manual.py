"""The settings explained, from their tables: an annotated example, the reference page, and JSON Schema for editors."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from satisfice.config.problems import Code
from satisfice.config.schema import FILE, TABLES
from satisfice.config.tables import Setting, Table

__all__ = ["example", "fill", "json_schema"]

_AnyTable = Table[msgspec.Struct]


def example() -> str:
    """A file with every setting, each explained and commented out: as it is, it changes nothing."""
    return "\n".join([_PREAMBLE, *(line for table in TABLES for line in _annotated(table))])


def fill(page: str) -> str:
    """A page of documentation with the parts made anew that are between `<!-- made: NAME -->` and `<!-- end -->`."""
    return _PART.sub(lambda part: f"{part[1]}\n{_MAKERS[part[2]]()}\n{part[3]}", page)


def json_schema() -> dict[str, object]:
    """What a file may hold, as JSON Schema, by which editors complete and check it."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of Satisfice",
        **_schema(FILE),
    }


_PREAMBLE: Final = """\
# Configuration of Satisfice.
#
# Everything has a default but what names a thing: a provider's `name` and `url`, a model's `id`, and the like.
# Settings are commented out by a bare `#`; what they show is the default, or an example where the text says what
# the default is.
# `satisfice check` tells what is wrong with this file.
"""
_WIDTH: Final = 112


def _annotated(table: _AnyTable) -> list[str]:
    lines = [*_comment(table.doc), f"{'#' * table.is_list}{table.header}"]
    for setting in table.settings:
        default = setting.otherwise or setting.default_shown
        remark = f" Default: {default}." if default and setting.example else ""
        lines += ["", *_comment(setting.doc + remark), f"#{setting.name} = {setting.shown}"]
    return [*lines, ""]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _reference(table: _AnyTable) -> str:
    """A table of the settings of a table, in Markdown."""
    rows = [(f"`{each.name}`", each.kind.what, _default(each), each.doc, f"`{each.shown}`") for each in table.settings]
    return _rows(("setting", "value", "default", "what it does", "example"), rows)


def _default(setting: Setting) -> str:
    if setting.is_required:
        return "none: it must be given"
    return setting.otherwise or f"`{setting.default_shown}`"


def _codes() -> str:
    return _rows(("code", "is", "means"), [(f"`{each.label}`", each.severity.value, each.meaning) for each in Code])


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


_PART: Final = re.compile(r"(<!-- made: (.+?) -->\n).*?(\n<!-- end -->)", re.DOTALL)
_MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    **{table.name: partial(_reference, table) for table in TABLES},
    "codes": _codes,
    "example": lambda: f"```toml\n{example()}```",
}


def _schema(table: _AnyTable) -> dict[str, object]:
    properties: dict[str, object] = {setting.name: _property(setting) for setting in table.settings}
    for inner in table.tables:
        properties[inner.key] = {"type": "array", "items": _schema(inner)} if inner.is_list else _schema(inner)
    return {
        "description": table.doc,
        "type": "object",
        "properties": properties,
        "required": [setting.name for setting in table.settings if setting.is_required],
        "additionalProperties": False,
    }


def _property(setting: Setting) -> dict[str, object]:
    described = {**setting.kind.schema(), "description": setting.doc}
    return described if setting.default is None else {**described, "default": setting.default}
