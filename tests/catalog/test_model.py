"""Near misses: what somebody may have meant."""

from __future__ import annotations

import pytest

from satisfice.catalog.model import near_misses

_KNOWN = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "claude-sonnet-4", "Llama-3.3-70B", "deepseek-r1")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("gtp-4o", "gpt-4o"),
        ("GPT-4O-MINI", "gpt-4o-mini"),
        ("llama-3.3-70b", "Llama-3.3-70B"),
        ("claude-sonet-4", "claude-sonnet-4"),
    ],
)
def test_the_likeliest_name_comes_first_whatever_its_letters_case(written: str, meant: str) -> None:
    assert meant == near_misses(written, _KNOWN)[0]


def test_no_more_names_come_than_wanted() -> None:
    known = ("gpt-4a", "gpt-4b", "gpt-4c", "gpt-4d")

    assert 3 == len(near_misses("gpt-4", known))
    assert 1 == len(near_misses("gpt-4", known, limit=1))


def test_a_name_like_no_other_has_no_near_misses() -> None:
    assert () == near_misses("whisper", _KNOWN)
    assert () == near_misses("gpt-4o", ())


def test_an_endless_name_is_compared_with_nothing() -> None:
    """Comparing takes the square of the length: a caller could keep the gateway busy for minutes."""
    endless = "x" * 10_000_000

    assert () == near_misses(endless, [endless])
    assert () == near_misses(endless[:201], [endless[:201]])
    assert 1 == len(near_misses(endless[:200], [endless[:200]]))


def test_of_very_many_names_only_those_that_begin_alike_are_compared() -> None:
    """Or a caller who writes a wrong name would hold up all others for a second."""
    known = [f"model-{number}" for number in range(50_000)] + ["gpt-4o", "opt-4o"]

    assert ("gpt-4o",) == near_misses("gpt-4p", known)
    assert 3 == len(near_misses("model-17x", known))
