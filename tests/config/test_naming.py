"""The operator's own names for models."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.catalog.names import Named
from satisfice.config.load import load
from satisfice.config.problems import Code


def test_a_name_is_for_one_model_or_for_a_choice() -> None:
    text = """
        [[models]]
        name = "gpt-4o"
        aliases = ["openai/gpt-4o", "gpt-4o-2024-11-20"]
        [[models]]
        name = "fast"
        any_of = ["gpt-4o-mini", "qwen/*"]
        policy = "careful"
        [[policies]]
        name = "careful"
    """
    config = load(text, file="file.toml", env={}, base=Path()).config

    assert config is not None
    assert (
        Named(name="gpt-4o", aliases=("openai/gpt-4o", "gpt-4o-2024-11-20")),
        Named(name="fast", any_of=("gpt-4o-mini", "qwen/*"), policy="careful"),
    ) == config.models


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("name = 'a'\nany_of = ['nobody-has-it']", []),
        ("name = 'a'\nany_of = ['a', 'b']", []),
        ("name = 'a'", [(1, Code.MISSING_KEY)]),
        ("name = 'a'\naliases = ['b']\nany_of = ['c']", [(4, Code.CONFLICT)]),
        ("name = 'a'\naliases = ['b', 'c', 'b']", [(3, Code.DUPLICATE)]),
        ("name = 'a'\naliases = ['b', 'a']", [(3, Code.DUPLICATE)]),
        ("name = 'a'\naliases = []", [(3, Code.BAD_VALUE)]),
        ("name = 'a'\naliases = ['x/*']", [(3, Code.BAD_VALUE)]),
        ("name = 'a'\naliases = ['auto']", [(3, Code.BAD_VALUE)]),
        ("name = 'a'\naliases = 'b'", [(3, Code.BAD_TYPE)]),
        ("name = 'a'\naliases = [1]", [(3, Code.BAD_TYPE)]),
        ("name = 'a'\nany_of = ['*', 'auto']", [(3, Code.BAD_VALUE)]),
        ("name = 'auto'\nany_of = ['*']", [(2, Code.BAD_VALUE)]),
        ("name = 'a@b'\nany_of = ['*']", [(2, Code.BAD_VALUE)]),
        ("name = 'a*'\nany_of = ['*']", [(2, Code.BAD_VALUE)]),
        ("any_of = ['*']", [(1, Code.MISSING_KEY)]),
    ],
)
def test_a_name_has_one_meaning(name: str, places: list[tuple[int, Code]]) -> None:
    """A model that nobody has yet may be found later, and a name may stand for a choice that the model of it is in."""
    assert places == _places(f"[[models]]\n{name}")


def test_names_and_aliases_are_told_apart() -> None:
    text = """[[models]]
        name = "a"
        aliases = ["x", "b"]
        [[models]]
        name = "b"
        aliases = ["y", "x"]
        [[models]]
        name = "b"
        any_of = ["z"]
    """

    assert [(3, Code.DUPLICATE), (6, Code.DUPLICATE), (8, Code.DUPLICATE)] == _places(text)


def _places(text: str) -> list[tuple[int, Code]]:
    problems = load(text, file="file.toml", env={}, base=Path()).problems
    return [(problem.line, problem.code) for problem in problems]
