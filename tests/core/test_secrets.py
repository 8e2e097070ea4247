"""A secret is shown to who calls `reveal` and to nobody else, on no way that values get printed by accident."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Mapping

import msgspec
import pytest

from satisfice.core.secrets import Secret

_VALUE = "sk-live-0123456789abcdef"
_SECRET = Secret(_VALUE)


def test_who_asks_for_the_value_gets_it() -> None:
    assert _VALUE == _SECRET.reveal()


_WAYS_TO_PRINT: Mapping[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "format": "{}".format,
    "format with a width": "{:>40}".format,
    "f-string": lambda secret: f"{secret}",
    "percent": lambda secret: "%s" % (secret,),  # noqa: UP031 - the way of logging calls
    "in a list": lambda secret: str([secret]),
    "as a key": lambda secret: str({secret: 1}),
    "its attributes": lambda secret: str(dir(secret)),
    "JSON's last resort": lambda secret: json.dumps({"key": secret}, default=repr),
    "a log record": lambda secret: logging.LogRecord("x", 10, "x.py", 1, "key %s", (secret,), None).getMessage(),
    "a traceback": lambda secret: "".join(traceback.format_exception(ValueError(secret))),
}


@pytest.mark.parametrize("show", _WAYS_TO_PRINT.values(), ids=_WAYS_TO_PRINT)
def test_no_way_of_printing_shows_it(show: Callable[[Secret], str]) -> None:
    assert "0123456789" not in show(_SECRET)


@pytest.mark.parametrize("serialise", [pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode])
def test_no_way_of_serialising_takes_it(serialise: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError):
        serialise(_SECRET)


def test_it_has_no_dict_to_look_into() -> None:
    with pytest.raises(TypeError):
        vars(_SECRET)


@pytest.mark.parametrize(
    ("value", "mask"), [(_VALUE, "…cdef"), ("0123456789abcdef", "…cdef"), ("0123456789abcde", "…"), ("", "…")]
)
def test_the_mask_shows_four_characters_of_a_long_one_only(value: str, mask: str) -> None:
    """Of a short one, four characters would be too much."""
    assert mask == Secret(value).mask()


def test_it_matches_its_own_bytes_only() -> None:
    secret = Secret("pässword")

    assert secret.matches("pässword".encode())
    assert not secret.matches(b"password")
    assert not secret.matches(b"")


def test_secrets_are_equal_by_value_and_to_nothing_else() -> None:
    assert _SECRET == Secret(_VALUE)
    assert hash(_SECRET) == hash(Secret(_VALUE))
    assert Secret("other") != _SECRET
    assert _VALUE != _SECRET
    assert hash(_VALUE) != hash(_SECRET)
