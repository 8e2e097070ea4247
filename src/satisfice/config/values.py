"""The kinds of value a setting can have: how each is called, checked, read, and described to an editor."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import ClassVar, Final

from satisfice.config.problems import Code, Unfit

__all__ = [
    "MSAT",
    "SECONDS",
    "SLUG",
    "TOKENS",
    "TRAIT",
    "Flag",
    "Kind",
    "Number",
    "Text",
    "Usd",
    "Whole",
    "decimal_of",
    "name_of",
    "slug",
]


class Kind(ABC):
    """One kind of value."""

    may_be_secret: ClassVar[bool] = False
    """Whether some of its values must not be shown."""

    @property
    @abstractmethod
    def what(self) -> str:
        """For people, as what follows `must be`."""

    @abstractmethod
    def read(self, value: object) -> object:
        """The value as the gateway uses it, or `Unfit`."""

    @abstractmethod
    def schema(self) -> Mapping[str, object]:
        """The same as a piece of JSON Schema."""

    def hides(self, value: str) -> bool:
        """Whether this text must not be shown."""
        return self.may_be_secret and bool(value)


class Flag(Kind):
    """Yes or no."""

    @property
    def what(self) -> str:
        """For people."""
        return "true or false"

    def read(self, value: object) -> bool:
        """As it is."""
        if isinstance(value, bool):
            return value
        meant = _WORDS.get(str(value).casefold())
        raise Unfit(hint=f"write {meant}" if meant else "", code=Code.BAD_TYPE)

    def schema(self) -> Mapping[str, object]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number within bounds."""

    low: int
    high: int

    @property
    def what(self) -> str:
        """For people."""
        if self.high >= _ENDLESS:
            return f"a whole number, {self.low:,} or more"
        return f"a whole number from {self.low:,} to {self.high:,}"

    def read(self, value: object) -> int:
        """As it is."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit(hint=_number_meant(value), code=Code.BAD_TYPE)
        if value > self.high >= _ENDLESS:
            raise Unfit(f"must be no more than {self.high:,}")
        if not self.low <= value <= self.high:
            raise Unfit
        return value

    def schema(self) -> Mapping[str, object]:
        """An integer."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Number(Kind):
    """A number within bounds, for durations and ratios."""

    low: float
    high: float
    unit: str = ""

    @property
    def what(self) -> str:
        """For people."""
        return f"a number{self.unit and ' of ' + self.unit} from {self.low:,g} to {self.high:,g}"

    def read(self, value: object) -> float:
        """As a float."""
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            raise Unfit(hint=_number_meant(value), code=Code.BAD_TYPE)
        number = float(Decimal(value))
        if not self.low <= number <= self.high:
            raise Unfit
        return number

    def schema(self) -> Mapping[str, object]:
        """A number."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Usd(Kind):
    """A price in dollars, exact to a millionth."""

    high: int

    @property
    def what(self) -> str:
        """For people."""
        return f"a number of dollars from 0 to {self.high:,}"

    def read(self, value: object) -> int:
        """In millionths of a dollar."""
        amount = None if isinstance(value, bool) or not isinstance(value, _NUMERIC) else decimal_of(str(value))
        if amount is None:
            raise Unfit(hint="write it as a number: 2.50", code=Code.BAD_TYPE)
        if not (amount.is_finite() and 0 <= amount <= self.high):
            raise Unfit
        # Asked first, lest 1e-999999999 become a fraction with a billion digits.
        is_too_small = bool(amount) and amount.adjusted() < -6
        micro = Fraction(0) if is_too_small else Fraction(amount) * 1_000_000
        if is_too_small or micro.denominator != 1:
            raise Unfit("may have at most 6 decimals", hint="round it to a millionth of a dollar")
        return int(micro)

    def schema(self) -> Mapping[str, object]:
        """A number, or a text that holds one."""
        return {"type": ["number", "string"], "minimum": 0, "maximum": self.high}


@dataclass(frozen=True)
class Text(Kind):
    """A text of a certain form."""

    form: str
    pattern: str
    mend: Callable[[str], str] | None = None
    """Makes what may have been meant of a text of another form; empty if nothing."""

    @property
    def what(self) -> str:
        """For people."""
        return self.form

    def read(self, value: object) -> str:
        """As it is."""
        if not isinstance(value, str):
            raise Unfit(hint=_text_meant(value), code=Code.BAD_TYPE)
        if re.fullmatch(self.pattern, value):
            return value
        mended = self.mend(value) if self.mend else ""
        raise Unfit(hint=f'perhaps "{mended}"' if mended else "")

    def schema(self) -> Mapping[str, object]:
        """A string."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


def decimal_of(text: str) -> Decimal | None:
    """The number a text says, exactly; None if it says none."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def slug(text: str) -> str:
    """A text in lower-case letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")


def name_of(value: object) -> str:
    """What a message calls a value that it found."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(_short(value), ensure_ascii=False)
        case int() | Decimal():
            return _short(str(value))
        case date() | time():
            return "a date or time"
        case list():
            return "a list"
        case _:
            return "a table"


MSAT: Final = Whole(0, 10**15)
"""An amount or a rate in millisatoshi."""
TOKENS: Final = Whole(1, 1_000_000_000)
SECONDS: Final = Number(0.001, 86_400, "seconds")
SLUG: Final = Text("lower-case letters, digits and dashes", "[a-z0-9][a-z0-9-]*", slug)
"""A name of the operator's choosing."""
TRAIT: Final = Text(
    "lower-case letters, digits, `.`, `_` and `-`", "[a-z0-9][a-z0-9._-]*", lambda text: "-".join(text.lower().split())
)
"""A word about an offer, in one spelling, since such words are compared."""
_NUMERIC: Final = (int, Decimal, str)
_LONGEST: Final = 40
_ENDLESS: Final = 10**15
"""A bound that is there to keep sums in 64 bits, and that nobody meets."""
_WORDS: Final = {"true": "true", "yes": "true", "on": "true", "1": "true"} | dict.fromkeys(
    ("false", "no", "off", "0"), "false"
)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _number_meant(value: object) -> str:
    """The hint where a number was wanted."""
    if isinstance(value, str) and (number := decimal_of(value)) is not None and number.is_finite():
        return f"write it without quotes: {_short(value)}"
    return ""


def _text_meant(value: object) -> str:
    """The hint where a text was wanted."""
    return f'write it in quotes: "{value}"' if isinstance(value, int | Decimal) else ""
