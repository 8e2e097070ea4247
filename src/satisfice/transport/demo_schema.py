"""Plausible values that fit a JSON schema, so that the demo model can call tools and answer in JSON."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Json", "sample"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Any value that JSON can say."""

_DEEP: Final = 6
"""From here on nothing is added that could be left out, so that schemas which refer to themselves come to an end."""
_DEEPEST: Final = 24
_LONGEST: Final = 1_000

_BY_FORMAT: Final[Mapping[str, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT5M",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

# What a property is called says more about it than its type.
_BY_NAME: Final[Mapping[str, str]] = {
    "city": "Lisbon",
    "code": "print('hello')",
    "command": "ls",
    "country": "Portugal",
    "currency": "EUR",
    "language": "en",
    "location": "Lisbon",
    "path": "README.md",
    "query": "cheapest model that is good enough",
    "timezone": "Europe/Lisbon",
    "unit": "celsius",
}


def sample(schema: Json, name: str = "value") -> Json:
    """A value that the schema allows, with no more in it than it requires; the name hints at what it is.

    Patterns aren't followed, and a schema that refers to itself without a way
    out ends in null.
    """
    return _Sampler(schema).value(schema, name)


class _Sampler:
    __slots__ = ("_depth", "_root")

    def __init__(self, root: Json) -> None:
        self._root = root
        self._depth = 0

    def value(self, schema: Json, name: str) -> Json:
        if not isinstance(schema, dict) or self._depth >= _DEEPEST:
            return None
        self._depth += 1
        try:
            return self._value(schema, name)
        finally:
            self._depth -= 1

    def _value(self, schema: Mapping[str, Json], name: str) -> Json:
        match schema:
            case {"const": value} | {"enum": [value, *_]} | {"examples": [value, *_]} | {"default": value}:
                return value
            case {"$ref": str(pointer)}:
                return self.value(self._find(pointer), name)
            case {"anyOf": [*choices]} | {"oneOf": [*choices]}:
                return self.value(self._chosen(choices), name)
            case {"allOf": [*parts]}:
                return self._value(self._merged(schema, parts), name)
            case _:
                return self._typed(schema, name)

    def _typed(self, schema: Mapping[str, Json], name: str) -> Json:
        match _type(schema):
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema, name)
            case "string":
                return _string(schema, name)
            case "integer":
                return _number(schema, is_whole=True)
            case "number":
                return _number(schema, is_whole=False)
            case "boolean":
                return True
            case _:
                return None

    def _object(self, schema: Mapping[str, Json]) -> Json:
        properties = _table(schema.get("properties"))
        required = schema.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        return {name: self.value(properties.get(name, {"type": "string"}), name) for name in names}

    def _array(self, schema: Mapping[str, Json], name: str) -> Json:
        first = schema.get("prefixItems")
        items = list(first) if isinstance(first, list) else []
        least = schema.get("minItems", 0 if self._depth > _DEEP or schema.get("maxItems") == 0 else 1)
        missing = min(least, _LONGEST) - len(items) if isinstance(least, int) else 0
        items += [schema.get("items", {"type": "string"})] * missing
        return [self.value(item, name) for item in items]

    def _chosen(self, choices: list[Json]) -> Json:
        real = [choice for choice in choices if _table(choice).get("type") != "null"]
        is_at_its_end = self._depth > _DEEP and len(real) < len(choices)
        return {"type": "null"} if is_at_its_end or not real else real[0]

    def _find(self, pointer: str) -> Json:
        """RFC 6901, within this schema."""
        found = self._root
        for part in pointer.removeprefix("#").split("/")[1:]:
            found = _table(found).get(part.replace("~1", "/").replace("~0", "~"))
        return found

    def _merged(self, schema: Mapping[str, Json], parts: list[Json]) -> Mapping[str, Json]:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in parts:
            table = _table(part)
            reference = table.get("$ref")
            for key, value in (_table(self._find(reference)) if isinstance(reference, str) else table).items():
                merged[key] = _joined(merged.get(key), value)
        return merged


def _table(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _joined(one: Json, other: Json) -> Json:
    match one, other:
        case dict(), dict():
            return {**one, **other}
        case list(), list():
            return [*one, *other]
        case _:
            return other


def _type(schema: Mapping[str, Json]) -> Json:
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((each for each in kind if each != "null"), "null")
    if kind is None:
        return "object" if {"properties", "required"} & schema.keys() else "array" if "items" in schema else "string"
    return kind


def _string(schema: Mapping[str, Json], name: str) -> str:
    by_format = _BY_FORMAT.get(str(schema.get("format")))
    text = by_format or _BY_NAME.get(name.lower(), f"demo {name}".replace("_", " "))
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int):
        text = text.ljust(min(least, _LONGEST), ".")
    return text[:most] if isinstance(most, int) else text


def _number(schema: Mapping[str, Json], *, is_whole: bool) -> float:
    """The first of a few likely numbers that is within all bounds."""
    low = _bound(schema, "minimum", "exclusiveMinimum")
    high = _bound(schema, "maximum", "exclusiveMaximum")
    unit = _bound(schema, "multipleOf") or 1
    likely = [1, 0, unit, low, low + 1, high, high - 1, (low + high) / 2, math.ceil(low / unit) * unit, low + unit]
    return next((number for number in likely if _fits(schema, number, is_whole=is_whole)), 1)


def _bound(schema: Mapping[str, Json], *keys: str) -> float:
    found = (schema.get(key) for key in keys)
    return next((value for value in found if isinstance(value, int | float)), 0)


def _fits(schema: Mapping[str, Json], number: float, *, is_whole: bool) -> bool:
    checks: Mapping[str, Callable[[float, float], bool]] = {
        "minimum": operator.ge,
        "maximum": operator.le,
        "exclusiveMinimum": operator.gt,
        "exclusiveMaximum": operator.lt,
        "multipleOf": lambda value, unit: unit <= 0 or value % unit == 0,
    }
    bounds = ((check, schema.get(key)) for key, check in checks.items())
    is_within = all(check(number, bound) for check, bound in bounds if isinstance(bound, int | float))
    return is_within and (isinstance(number, int) or not is_whole)
