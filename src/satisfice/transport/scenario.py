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

import os
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec

from satisfice.catalog.model import ModelId, near_misses
from satisfice.catalog.offers import Offer, Price
from satisfice.core.amounts import Msat, Rate
from satisfice.core.errors import ConfigError
from satisfice.ports import Endpoint, Timeouts
from satisfice.transport.demo_answer import Pace
from satisfice.transport.script import Script
from satisfice.transport.script_text import BadScript, Mistake, parse

__all__ = ["Scenario", "ScriptedProvider", "load_scenario", "scenario", "shipped"]

_SUFFIX: Final = ".toml"


class ScriptedProvider(msgspec.Struct, frozen=True):
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


class Scenario(msgspec.Struct, frozen=True):
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
    """A scenario by its name, or by the path of a TOML file of the user's own; or `ConfigError`."""
    is_path = name.endswith(_SUFFIX) or os.sep in name
    names = shipped()
    if not is_path and name not in names:
        near = near_misses(name, names, limit=1)
        hint = (
            f"Did you mean `{near[0]}`?" if near else f"There are {', '.join(names)}; or name a file ending in .toml."
        )
        raise ConfigError(f"No scenario is called `{name}`.", hint=hint)
    file = Path(name) if is_path else _SHIPPED / f"{name}{_SUFFIX}"
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The scenario {name} can't be read: {error}") from error
    loaded = load_scenario(text, name if is_path else file.name)
    if not isinstance(loaded, Scenario):
        raise ConfigError("\n".join(map(str, loaded)), hint="Correct the scenario.")
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

    def timeouts(self) -> Timeouts:
        return Timeouts(
            connect=self.connect_timeout,
            first_byte=self.first_byte_timeout,
            idle=self.idle_timeout,
            total=self.total_timeout,
        )


_Table = TypeVar("_Table", bound=msgspec.Struct)

# Where a table of the array `providers` begins, if it is written as most people write it.
_PROVIDER: Final = re.compile(r"^[ \t]*\[\[[ \t]*providers[ \t]*\]\]", re.MULTILINE)


class _Reader:
    """Reads one text and remembers all that is wrong in it. Section 0 is the file's head, n its nth provider."""

    def __init__(self, text: str, file: str) -> None:
        self.mistakes: list[Mistake] = []
        self._text = text
        self._file = file
        self._starts = [0, *(match.start() for match in _PROVIDER.finditer(text))]

    def read(self) -> Scenario | None:
        try:
            root = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+)", str(error))
            self._complain(int(place[1]) if place else self._text.count("\n") + 1, str(error))
            return None
        table = self._table(root, _ScenarioTable, section=0)
        if table is None:
            return None
        providers = [self._provider(raw, section) for section, raw in enumerate(table.providers, 1)]
        names = [raw.get("name") for raw in table.providers]
        for section, name in enumerate(names, 1):
            if name in names[: section - 1]:
                self._complain(self._line("name", section), f"another provider is called {name} too")
        return Scenario(tuple(filter(None, providers)), table.description, table.timeouts())

    def _table(self, raw: dict[str, Any], kind: type[_Table], *, section: int) -> _Table | None:
        keys = kind.__struct_fields__
        for key in raw.keys() - set(keys):
            near = ", ".join(f"`{each}`" for each in near_misses(key, keys, limit=1) or keys)
            self._complain(self._line(key, section), f"`{key}` is no setting here: there is {near}")
        try:
            return msgspec.convert({key: raw[key] for key in keys if key in raw}, kind)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            place = re.match(r"\.(\w+)", path)
            line = self._line(place[1] if place else "name", section)
            self._complain(line, f"`{path[1:]}: {message}" if place else message)
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
            at = self._text.find(text, *self._span(section)) if "\n" in text else -1
            first = self._line("script", section, or_key="scripts") if at < 0 else self._line_at(at)
            for mistake in error.mistakes:
                self._complain(first + mistake.line - 1, mistake.message)
            return None

    def _complain(self, line: int, message: str) -> None:
        self.mistakes.append(Mistake(line, message, self._file))

    def _line(self, key: str, section: int, *, or_key: str = "") -> int:
        """Where a key stands, else where its section begins."""
        start, end = self._span(section)
        keys = "|".join(re.escape(each) for each in (key, or_key or key))
        found = re.compile(rf"^[ \t]*({keys})[ \t]*[=.]", re.MULTILINE).search(self._text, start, end)
        return self._line_at(found.end() if found else start)

    def _line_at(self, position: int) -> int:
        return self._text.count("\n", 0, position) + 1

    def _span(self, section: int) -> tuple[int, int]:
        """From where to where a section goes; the whole text if it is written in another way."""
        if section >= len(self._starts):
            return 0, len(self._text)
        return self._starts[section], (*self._starts, len(self._text))[section + 1]
