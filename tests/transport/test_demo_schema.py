"""Sampled values fit their schemas, as pydantic reads both."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, create_model

from satisfice.transport.demo_schema import Json, sample


class _Unit(Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class _Place(BaseModel):
    city: str = Field(min_length=3, max_length=5)
    latitude: float = Field(ge=-90, le=90)
    altitude: int = Field(gt=100, multiple_of=7)


class _Weather(BaseModel):
    place: _Place
    unit: _Unit
    kind: Literal["now", "later"]
    days: list[date] = Field(min_length=2)
    hours: tuple[int, str]
    note: str | None
    by_name: dict[str, int]
    skipped: int = 3


class _Formats(BaseModel):
    day: date
    moment: datetime
    clock: time
    key: uuid.UUID
    link: AnyUrl
    truth: bool
    nothing: None
    any_of: int | str
    short: Annotated[list[str], Field(max_length=0)]


class _Tree(BaseModel):
    name: str
    children: list[_Tree]
    parent: _Tree | None


class _Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(lt=-3)


class _Dog(BaseModel):
    kind: Literal["dog"]


class _Owner(BaseModel):
    pet: Annotated[_Cat | _Dog, Field(discriminator="kind")]


@pytest.mark.parametrize("kind", [_Place, _Weather, _Formats, _Tree, _Owner])
def test_a_sample_fits_the_schema_of_a_pydantic_model(kind: type[BaseModel]) -> None:
    value = sample(kind.model_json_schema())

    assert isinstance(kind.model_validate(value), kind)


@given(st.integers(-1_000, 1_000), st.integers(0, 1_000), st.integers(1, 50), st.sampled_from([int, float]))
def test_a_number_is_within_its_bounds(low: int, width: int, unit: int, kind: type[int | float]) -> None:
    for bounds in (Field(ge=low, le=low + width), Field(gt=low, lt=low + width + 2), Field(ge=low, multiple_of=unit)):
        model = create_model("_Bounded", number=(kind, bounds))

        model.model_validate(sample(model.model_json_schema()))


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "demo value"),
        ({"const": 7}, 7),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string", "default": "x"}, "x"),
        ({"type": "integer", "examples": [42]}, 42),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"properties": {"a": {}}, "required": ["a", "b"]}, {"a": "demo a", "b": "demo b"}),
        ({"items": {"type": "boolean"}}, [True]),
        ({"type": "object"}, {}),
        (
            {"allOf": [{"$ref": "#/$defs/a"}, {"required": ["y"]}], "$defs": {"a": {"required": ["x"]}}},
            {"x": "demo x", "y": "demo y"},
        ),
        (
            {
                "properties": {"a": {"const": 1}},
                "allOf": [{"properties": {"b": {"const": 2}}, "required": ["a"]}, {"required": ["b"]}],
            },
            {"a": 1, "b": 2},
        ),
        ({"oneOf": [{"type": "null"}]}, None),
        ({"type": "string", "minLength": 12}, "demo value.."),
        ({"type": "integer", "minimum": 2, "maximum": 1}, 1),
        (True, None),
    ],
)
def test_a_sample_of(schema: Json, value: Json) -> None:
    assert value == sample(schema)


def test_what_a_property_is_called_makes_the_value_plausible() -> None:
    schema: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    assert {"city": "Lisbon"} == sample(schema)


def test_a_schema_without_a_way_out_comes_to_an_end() -> None:
    schema: Json = {"type": "object", "properties": {"self": {"$ref": "#"}}, "required": ["self"]}

    assert isinstance(sample(schema), dict)


def test_an_absurd_length_is_not_followed() -> None:
    schema: Json = {"type": "array", "minItems": 10**9, "items": {"type": "string", "minLength": 10**9}}
    value = sample(schema)

    assert isinstance(value, list)
    assert 1_000 == len(value)
