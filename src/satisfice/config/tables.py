"""How a setting and a table of settings are described."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, TypeVar, get_type_hints

import msgspec

from satisfice.config.values import Kind

__all__ = ["Setting", "Table"]

_Shape_co = TypeVar("_Shape_co", bound=msgspec.Struct, covariant=True)


@dataclass(frozen=True)
class Setting:
    """One setting. Its name and default are taken from the field that it annotates."""

    kind: Kind
    doc: str
    """What it does, in a sentence or two of Markdown."""
    example: str = ""
    """A value as it would stand in the file."""
    otherwise: str = ""
    """What holds when it is left out, where that is not a value that could stand in the file."""
    also: tuple[str, ...] = ()
    """What other programs call it, for suggestions."""
    name: str = ""
    default: object = None
    """None if there is none that could stand in the file."""
    is_required: bool = False

    @property
    def shown(self) -> str:
        """A value of it in TOML: an example if there is one, else the default."""
        return self.example or self.default_shown

    @property
    def default_shown(self) -> str:
        """Its default in TOML; empty if it has none that could be written."""
        if self.default is None:
            return ""
        return json.dumps(self.default) if isinstance(self.default, bool | str) else repr(self.default)


@dataclass(frozen=True)
class Table(Generic[_Shape_co]):
    """One table of the file."""

    name: str
    """With dots; empty for the file itself."""
    shape: type[_Shape_co]
    """What its settings are read into."""
    is_list: bool = False
    """Whether it may be there many times, under a header in double brackets."""
    tables: tuple[Table[msgspec.Struct], ...] = ()
    """Those that may stand in it."""
    also: tuple[str, ...] = ()
    """What other programs call it."""

    @property
    def key(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]

    @property
    def header(self) -> str:
        """As it stands in the file."""
        return f"[[{self.name}]]" if self.is_list else f"[{self.name}]"

    @property
    def doc(self) -> str:
        """What it is for."""
        return self.shape.__doc__ or ""

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """In the order of the reference page."""
        hints = get_type_hints(self.shape, include_extras=True)
        return tuple(
            replace(
                hints[each.name].__metadata__[0],
                name=each.name,
                default=None if each.required or each.default == () else each.default,
                is_required=each.required,
            )
            for each in msgspec.structs.fields(self.shape)
        )
