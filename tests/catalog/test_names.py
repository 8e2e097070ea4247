"""What names mean: aliases, makers before a slash, patterns."""

from __future__ import annotations

import pytest

from satisfice.catalog.names import canonical, matching


@pytest.mark.parametrize(
    ("listed", "model"),
    [
        ("gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("openai/gpt-4o:free", "gpt-4o:free"),
        ("meta-llama/llama-3-8b", "llama-3-8b"),
        ("somebody/llama-3-8b", "somebody/llama-3-8b"),
        ("openai/", "openai/"),
        ("/gpt-4o", "/gpt-4o"),
    ],
)
def test_the_maker_before_a_slash_is_no_part_of_a_models_name(listed: str, model: str) -> None:
    assert model == canonical(listed, {})


def test_what_the_operator_says_counts_over_that() -> None:
    aliases = {"openai/gpt-4o": "mine", "gpt-4o-2024-11-20": "gpt-4o"}

    assert "mine" == canonical("openai/gpt-4o", aliases)
    assert "gpt-4o" == canonical("gpt-4o-2024-11-20", aliases)
    assert "gpt-4o" == canonical("openai/gpt-4o-2024-11-20", aliases)


def test_names_are_found_by_patterns_once_each_and_in_their_order() -> None:
    names = ("a", "qwen/b", "qwen/c", "d")

    assert ("qwen/b", "qwen/c", "a") == matching(("qwen/*", "?", "qwen/b"), names[:3])
    assert () == matching(("x*",), names)
