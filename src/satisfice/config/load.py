"""File and environment in, settings ready for use out; or a list of problems, each with its place and a way out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from satisfice.config.assembly import assemble
from satisfice.config.problems import NOWHERE, Code, Problem, Report, Severity
from satisfice.config.reading import Reader
from satisfice.config.redaction import redact, redact_broken
from satisfice.config.references import Around, Sealed, is_reference
from satisfice.config.schema import TABLES, Config, setting_at
from satisfice.config.spans import KeyPath, Span, locate
from satisfice.config.syntax import explain
from satisfice.config.values import decimal_of

__all__ = ["Loaded", "default_config", "find", "load", "places", "read"]


@dataclass(frozen=True)
class Loaded:
    """What came of a file."""

    config: Config | None
    """None if there is an error."""
    problems: tuple[Problem, ...]
    """In the order of the file; warnings too."""


def load(text: str, *, file: str, env: Mapping[str, str], base: Path) -> Loaded:
    """The settings that a text says. `file` is what problems call it; relative paths in it start from `base`."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        document = tomllib.loads(text, parse_float=_number)
        spans = locate(text)
    except (ValueError, RecursionError) as error:
        return _broken(text, file, code=Code.SYNTAX, explained=explain(error, text))
    report = Report(file, redact(spans, document, hides=_hides))
    config = assemble(document, Reader(spans, report, around=Around(env, base)))
    failed = any(problem.severity is Severity.ERROR for problem in report.problems)
    return Loaded(None if failed else config, report.problems)


def read(path: Path, env: Mapping[str, str]) -> Loaded:
    """The settings of a file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        hint = "name another with --config, or let `satisfice init` write one"
        explained = (NOWHERE, f"the file can't be read: {reason}", hint)
        return _broken("", str(path), code=Code.UNREADABLE, explained=explained)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        explained = (Span(line, column, 1), "this is not UTF-8", _encoding_hint(content))
        return _broken(content.decode(errors="replace"), str(path), code=Code.ENCODING, explained=explained)
    return load(text, file=str(path), env=env, base=path.parent)


def find(env: Mapping[str, str], cwd: Path) -> Path | None:
    """The file that holds when none is named; None if there is none."""
    if env.get(_VARIABLE):
        return places(env, cwd)[0]  # there or not: what somebody asks for is never passed over
    return next((path for path in places(env, cwd) if path.is_file()), None)


def places(env: Mapping[str, str], cwd: Path) -> tuple[Path, ...]:
    """Where a file is looked for, in this order."""
    found = [cwd / env[_VARIABLE]] if env.get(_VARIABLE) else []
    found.append(cwd / "satisfice.toml")
    home, configured = env.get("HOME"), Path(env.get("XDG_CONFIG_HOME", ""))
    if configured.is_absolute():  # others are to be ignored: XDG Base Directory Specification 0.8
        found.append(configured / _USER_FILE)
    elif home:
        found.append(Path(home, ".config") / _USER_FILE)
    return (*found, Path("/etc") / _USER_FILE)


def default_config() -> Config:
    """The settings without a file: the defaults, and no provider."""
    return Config()


_VARIABLE: Final = "SATISFICE_CONFIG"
# What stands instead of a table that must hold a secret may well be that secret.
_OF_SECRETS: Final = frozenset(
    table.name for table in TABLES if any(each.is_required and isinstance(each.kind, Sealed) for each in table.settings)
)
_TABLE_NAMES: Final = frozenset(table.name for table in TABLES) - _OF_SECRETS
_USER_FILE: Final = Path("satisfice", "config.toml")
_HARMLESS: Final = frozenset(
    name
    for table in TABLES
    for name in (table.key, *(each.name for each in table.settings if not each.kind.may_be_secret))
    if name not in _OF_SECRETS
)


def _broken(text: str, file: str, *, code: Code, explained: tuple[Span, str, str]) -> Loaded:
    span, message, hint = explained
    report = Report(file, redact_broken(text, _HARMLESS))
    report.add(code, span, message=message, hint=hint)
    return Loaded(None, report.problems)


def _number(text: str) -> Decimal:
    """Exactly what the file says; something that no setting takes if that is beyond any number."""
    number = decimal_of(text)
    return Decimal("NaN") if number is None else number


def _hides(path: KeyPath, value: object) -> bool:
    """Whether a value must not be shown: a secret, or any text under a name that means nothing."""
    setting = setting_at(path)
    if setting:
        return setting.kind.hides(str(value))
    is_instead_of_table = ".".join(name for name in path if isinstance(name, str)) in _TABLE_NAMES
    return isinstance(value, str) and not is_reference(value) and ("@" in value or not is_instead_of_table)


def _encoding_hint(content: bytes) -> str:
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return f"save it as UTF-8{', not as UTF-16' if is_wide else ''}"
