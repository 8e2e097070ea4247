"""The kinds of value that choose: one word of a few, several values in a list, a number for each of some names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from satisfice.catalog.model import near_misses
from satisfice.config.problems import Code, Unfit
from satisfice.config.values import Kind, Whole, name_of
from satisfice.wire.request import Ability

__all__ = ["ABILITIES", "Choice", "Many", "Shares"]


@dataclass(frozen=True)
class Choice(Kind):
    """One word of a few."""

    words: type[Enum]
    also: Mapping[str, str] = field(default_factory=dict)
    """What other programs call them, in lower case with underscores, for suggestions."""

    @property
    def what(self) -> str:
        """For people."""
        *others, last = (f'"{each.value}"' for each in self.words)
        return f"{', '.join(others)} or {last}" if others else last

    def read(self, value: object) -> Enum:
        """What the word stands for."""
        known = {each.value: each for each in self.words}
        if not isinstance(value, str):
            raise Unfit(code=Code.BAD_TYPE)
        if value in known:
            return known[value]
        meanings = {**self.also, **{word: word for word in known}}
        near = near_misses(value.replace("-", "_").replace(" ", "_"), meanings, limit=1)
        raise Unfit(hint=f'did you mean "{meanings[near[0]]}"?' if near else "")

    def schema(self) -> Mapping[str, object]:
        """One of the words."""
        return {"enum": [each.value for each in self.words]}


@dataclass(frozen=True)
class Many(Kind):
    """A list of values of one kind: at least one, and none twice."""

    each: Kind
    form: str

    @property
    def what(self) -> str:
        """For people."""
        return self.form

    def read(self, value: object) -> tuple[object, ...]:
        """In their order."""
        if not isinstance(value, list):
            hint = f"write it in brackets: [{name_of(value)}]" if isinstance(value, str) else ""
            raise Unfit(hint=hint, code=Code.BAD_TYPE)
        if not value:
            raise Unfit("is empty", hint="name at least one, or drop the line")
        found: list[object] = []
        for number, element in enumerate(value):
            read = self._element(element, number)
            if read in found:
                raise Unfit(
                    f"has {name_of(element)} twice", hint="keep one of the two", code=Code.DUPLICATE, at=(number,)
                )
            found.append(read)
        return tuple(found)

    def schema(self) -> Mapping[str, object]:
        """An array."""
        return {"type": "array", "items": self.each.schema(), "minItems": 1, "uniqueItems": True}

    def _element(self, value: object, number: int) -> object:
        try:
            return self.each.read(value)
        except Unfit as unfit:
            why = unfit.why or f"may hold {self.each.what}, not {name_of(value)}"
            raise Unfit(why, hint=unfit.hint, code=unfit.code, at=(number,)) from None


@dataclass(frozen=True)
class Shares(Kind):
    """A whole number for each of some names."""

    number: Whole

    @property
    def what(self) -> str:
        """For people."""
        return f"a table of names, each with {self.number.what}"

    def read(self, value: object) -> tuple[tuple[str, int], ...]:
        """In their order."""
        if not isinstance(value, dict):
            raise Unfit(code=Code.BAD_TYPE)
        if not value:
            raise Unfit("is empty", hint="name at least one, or drop it")
        return tuple((name, self._share(name, each)) for name, each in value.items())

    def schema(self) -> Mapping[str, object]:
        """An object."""
        return {"type": "object", "additionalProperties": self.number.schema(), "minProperties": 1}

    def _share(self, name: str, value: object) -> int:
        try:
            return self.number.read(value)
        except Unfit as unfit:
            # A text under a name of anybody's choosing is masked where the line is shown, so it isn't told here.
            instead = "" if isinstance(value, str) else f", not {name_of(value)}"
            why = f"may hold {self.number.what}{instead}"
            raise Unfit(why, hint=unfit.hint, code=unfit.code, at=(name,)) from None


_ABILITIES: Final[Mapping[str, str]] = {
    "function_calling": "tools",
    "functions": "tools",
    "tool_use": "tools",
    "images": "vision",
    "multimodal": "vision",
    "json": "json_schema",
    "json_mode": "json_schema",
    "structured_outputs": "json_schema",
    "thinking": "reasoning",
}
ABILITIES: Final = Many(Choice(Ability, _ABILITIES), "a list of abilities")
"""Of offers, or such as a policy asks for."""
