"""Scenarios: the providers of a demo, with their prices, their pace and their scripts, read from TOML.

    description = "the cheaper provider cuts its stream before the first token; the other one answers"
    first_byte_timeout = 2.0         # and connect_timeout, idle_timeout, total_timeout

    [[providers]]
    name = "flaky"
    models = ["demo-small"]
    input_msat_per_mtok = 50_000     # neither of the two: the price isn't known
    output_msat_per_mtok = 200_000
    scripts = ["answer", "refuse"]   # one for each attempt in turn, then the last again; or all again with cycle = true
    cycle = true

    [[providers]]
    name = "steady"                  # without script or scripts: the demo model answers
    models = ["demo-small", "demo-large"]
    input_msat_per_mtok = 100_000
    output_msat_per_mtok = 400_000
    prices.demo-large = { input_msat_per_mtok = 1_000_000, output_msat_per_mtok = 4_000_000 }
    first_byte = 0.15                # seconds until the demo model begins
    per_token = 0.01                 # seconds for each token after
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from satisfice.catalog.model import ModelId, near_misses
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Rate
from satisfice.core.errors import ConfigError
from satisfice.ports import Endpoint, Timeouts
from satisfice.transport.demo_answer import Pace
from satisfice.transport.script import Script
from satisfice.transport.script_text import BadScript, Mistake, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Scenario", "ScriptedProvider", "load_scenario", "scenario", "shipped"]

_SUFFIX: Final = ".toml"


@dataclass(frozen=True, slots=True)
class ScriptedProvider:
    """A provider of a scenario."""

    name: str
    scripts: tuple[Script, ...] = (Script().answer(),)
    """One for each attempt in turn."""
    cycle: bool = False
    """After the last script the first follows, not the last again."""
    pace: Pace = Pace()
    """Of the demo model here."""
    offers: tuple[Offer, ...] = ()

    def script(self, attempt: int) -> Script:
        """What happens at an attempt, counted from 0."""
        count = len(self.scripts)
        return self.scripts[attempt % count if self.cycle else min(attempt, count - 1)]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who plays in a demo."""

    providers: tuple[ScriptedProvider, ...]
    description: str = ""
    """What there is to see."""
    timeouts: Timeouts = Timeouts()
    """For each provider."""

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What they sell, in the order of the file."""
        return tuple(offer for provider in self.providers for offer in provider.offers)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where they are: `script://NAME`."""
        return tuple(
            Endpoint(provider=provider.name, url=f"script://{provider.name}", timeouts=self.timeouts)
            for provider in self.providers
        )


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the program."""
    files = _SHIPPED.iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def scenario(name: str) -> Scenario:
    """A scenario that comes with the program, or `ConfigError`."""
    names = shipped()
    if name not in names:
        raise ConfigError(f"no scenario is called `{name}`", hint=f"There are {', '.join(near_misses(name, names) or names)}.")
    file = f"{name}{_SUFFIX}"
    loaded = load_scenario((_SHIPPED / file).read_text("utf-8"), file)
    if not isinstance(loaded, Scenario):
        raise ConfigError("\n".join(map(str, loaded)))
    return loaded


def load_scenario(text: str, file: str = "") -> Scenario | tuple[Mistake, ...]:
    """The scenario that a TOML text says, or all that is wrong in it; the file's name is for the mistakes."""
    reader = _Reader(text, file)
    found = reader.read()
    return tuple(reader.mistakes) if found is None or reader.mistakes else found


_SHIPPED: Final = resources.files("satisfice.transport") / "scripts"

_Natural = Annotated[int, msgspec.Meta(ge=0)]
_Pause = Annotated[float, msgspec.Meta(ge=0)]
_Limit = Annotated[float, msgspec.Meta(gt=0)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _PriceTable(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    input_msat_per_mtok: _Natural | None = None
    output_msat_per_mtok: _Natural | None = None
    cache_read_msat_per_mtok: _Natural | None = None
    base_fee_msat: _Natural = 0

    def __post_init__(self) -> None:
        if (self.input_msat_per_mtok is None) != (self.output_msat_per_mtok is None):
            raise ValueError("`input_msat_per_mtok` and `output_msat_per_mtok` go together")

    def price(self) -> Price | None:
        if self.input_msat_per_mtok is None or self.output_msat_per_mtok is None:
            return None
        return Price(
            input=Rate(self.input_msat_per_mtok),
            output=Rate(self.output_msat_per_mtok),
            cache_read=None if self.cache_read_msat_per_mtok is None else Rate(self.cache_read_msat_per_mtok),
            base_fee=Msat(self.base_fee_msat),
        )


class _ProviderTable(_PriceTable, kw_only=True, forbid_unknown_fields=True):
    name: _Name
    models: Annotated[list[_Name], msgspec.Meta(min_length=1)]
    prices: dict[str, _PriceTable] = {}
    script: str | None = None
    scripts: list[str] | None = None
    cycle: bool = False
    first_byte: _Pause = 0.0
    per_token: _Pause = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.script is not None and self.scripts is not None:
            raise ValueError("`script` is one script, `scripts` are several: only one of the two")
        if unsold := self.prices.keys() - self.models:
            raise ValueError(f"`prices` has {', '.join(sorted(unsold))}, which `models` hasn't")

    def offers(self) -> tuple[Offer, ...]:
        return tuple(
            Offer(
                provider=self.name,
                model=ModelId(model),
                upstream_model=model,
                price=self.prices.get(model, self).price(),
            )
            for model in self.models
        )


class _ScenarioTable(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    description: str = ""
    connect_timeout: _Limit = Timeouts().connect
    first_byte_timeout: _Limit = Timeouts().first_byte
    idle_timeout: _Limit = Timeouts().idle
    total_timeout: _Limit = Timeouts().total
    providers: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]


# Where a table of the array `providers` begins, if it is written as most people write it.
_PROVIDER: Final = re.compile(r"^[ \t]*\[\[[ \t]*providers[ \t]*\]\]", re.MULTILINE)


class _Reader:
    """Reads one text and remembers all that is wrong in it. Section 0 is the file's head, n its nth provider."""

    def __init__(self, text: str, file: str) -> None:
        self.mistakes: list[Mistake] = []
        self._text = text
        self._file = file
        self._starts = [0, *(match.start() for match in _PROVIDER.finditer(text)), len(text)]

    def read(self) -> Scenario | None:
        try:
            root = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+)", str(error))
            self._complain_at(int(place[1]) if place else self._text.count("\n") + 1, str(error))
            return None
        table = self._table(root, _ScenarioTable, section=0)
        if table is None:
            return None
        providers = [self._provider(raw, section) for section, raw in enumerate(table.providers, 1)]
        timeouts = Timeouts(
            connect=table.connect_timeout,
            first_byte=table.first_byte_timeout,
            idle=table.idle_timeout,
            total=table.total_timeout,
        )
        self._check_names([provider.name for provider in providers if provider])
        return Scenario(tuple(filter(None, providers)), table.description, timeouts)

    def _table(self, raw: dict[str, Any], kind: type[_Table], *, section: int) -> _Table | None:
        for key in raw.keys() - kind.__struct_fields__:
            near = near_misses(key, kind.__struct_fields__, 1) or kind.__struct_fields__
            self._complain(section, key, f"`{key}` is no setting here: there is {', '.join(near)}")
        known = {key: value for key, value in raw.items() if key in kind.__struct_fields__}
        try:
            return msgspec.convert(known, kind)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            key = re.match(r"\.(\w+)", path)
            self._complain(section, key[1] if key else "", f"`{path[1:]}: {message}" if key else message)
            return None

    def _provider(self, raw: dict[str, Any], section: int) -> ScriptedProvider | None:
        table = self._table(raw, _ProviderTable, section=section)
        if table is None:
            return None
        texts = table.scripts if table.script is None else [table.script]
        scripts = tuple(filter(None, (self._script(text, section) for text in texts or ["answer"])))
        pace = Pace(table.first_byte, table.per_token)
        return ScriptedProvider(table.name, scripts, cycle=table.cycle, pace=pace, offers=table.offers())

    def _script(self, text: str, section: int) -> Script | None:
        try:
            return parse(text)
        except BadScript as error:
            at = self._text.find(text, self._starts[min(section, len(self._starts) - 1)]) if "\n" in text else -1
            first = self._line(at) if at >= 0 else 
            for mistake in error.mistakes:
                self._complain_at(first + mistake.line - 1, mistake.message)
            return None
