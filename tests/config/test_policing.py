"""Policies, and whoever names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.config.load import load
from satisfice.config.problems import Code
from satisfice.core.amounts import Msat, Rate
from satisfice.routing.policy import Policy, Strategy
from satisfice.wire.request import Ability

_PROVIDERS = """
[[providers]]
name = "openrouter"
url = "https://openrouter.ai/api/v1"
[[providers]]
name = "local"
url = "http://127.0.0.1:11434/v1"
free = true
"""
_WHOLE_TEXT = """
[[policies]]
name = "whole"
for_models = ["claude-*"]
keywords = ["refactor", "unit test"]
strict = true
allow_models = ["claude-?-opus", "gpt-4o"]
deny_models = ["*-preview"]
allow_providers = ["openrouter", "loc*"]
deny_providers = ["local"]
max_msat_per_call = 40_000
max_output_msat_per_mtok = 10_000_000
strategy = "weighted"
weights = { openrouter = 3, local = 1 }
spread = 0.1
min_context = 128_000
require = ["tools", "json_schema"]
regions = ["eu", "ch"]
retentions = ["none"]
quantisations = ["fp8", "q4_k_m"]
"""
_POLICY = '[[policies]]\nname = "careful"\n'


def test_a_policy_says_what_the_file_says() -> None:
    whole = Policy(
        name="whole",
        for_models=("claude-*",),
        keywords=("refactor", "unit test"),
        is_strict=True,
        allow_models=("claude-?-opus", "gpt-4o"),
        deny_models=("*-preview",),
        allow_providers=("openrouter", "loc*"),
        deny_providers=("local",),
        max_msat_per_call=Msat(40_000),
        max_output_msat_per_mtok=Rate(10_000_000),
        strategy=Strategy.WEIGHTED,
        weights=(("openrouter", 3), ("local", 1)),
        spread=0.1,
        min_context=128_000,
        require=frozenset({Ability.TOOLS, Ability.JSON_SCHEMA}),
        regions=frozenset({"eu", "ch"}),
        retentions=frozenset({"none"}),
        quantisations=frozenset({"fp8", "q4_k_m"}),
    )

    assert (whole, Policy(name="careful")) == _policies(_PROVIDERS + _WHOLE_TEXT + _POLICY)


@pytest.mark.parametrize("word", [each.value for each in Strategy])
def test_every_strategy_can_be_chosen(word: str) -> None:
    assert Strategy(word) == _policies(f'{_POLICY}strategy = "{word}"')[0].strategy


def test_nothing_may_be_paid_and_that_is_not_no_limit() -> None:
    (policy,) = _policies(f"{_POLICY}max_msat_per_call = 0\nmax_output_msat_per_mtok = 0")

    assert (0, 0) == (policy.max_msat_per_call, policy.max_output_msat_per_mtok)


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ("allow_providers = []", [(3, 19, Code.BAD_VALUE)]),
        ("deny_models = ['b', 'a']\nallow_models = ['a']", [(3, 21, Code.CONFLICT)]),
        ("allow_providers = ['loc*']\ndeny_providers = ['loc*']", [(4, 19, Code.CONFLICT)]),
        ("allow_providers = ['openrouter', 'locl']", [(3, 34, Code.UNKNOWN_NAME)]),
        ("deny_providers = ['nobody-?', '*', 'nobody']", [(3, 36, Code.UNKNOWN_NAME)]),
        ("deny_providers = [1]", [(3, 19, Code.BAD_TYPE)]),
        ("deny_providers = 'nobody'", [(3, 18, Code.BAD_TYPE)]),
        ("strategy = 'weighted'", []),
        ("strategy = 'wieghted'", [(3, 12, Code.BAD_VALUE)]),
        ("strategy = 'weighted'\nweights = { local = 1, opnrouter = 2 }", [(4, 24, Code.UNKNOWN_NAME)]),
        ("strategy = 'weighted'\nweights = 1", [(4, 11, Code.BAD_TYPE)]),
        ("strategy = 'weighted'\nweights = {}", [(4, 11, Code.BAD_VALUE)]),
        ("strategy = 'cheapest'\nweights = { local = 1 }", [(4, 1, Code.CONFLICT)]),
        ("weights = { local = 1 }", [(3, 1, Code.CONFLICT)]),
        ("weights.local = 1", [(3, 1, Code.CONFLICT)]),
        ("spread = 1.5", [(3, 10, Code.BAD_VALUE)]),
        ("max_msat_per_call = -1", [(3, 21, Code.BAD_VALUE)]),
        ("min_context = 0", [(3, 15, Code.BAD_VALUE)]),
        ("policy = 'careful'", [(3, 1, Code.UNKNOWN_KEY)]),
    ],
)
def test_what_a_policy_can_not_say_is_told_where_it_says_it(settings: str, places: list[tuple[int, int, Code]]) -> None:
    problems = load(f"{_POLICY}{settings}\n{_PROVIDERS}", file="file.toml", env={}, base=Path()).problems

    assert places == [(problem.line, problem.column, problem.code) for problem in problems]


def test_policies_are_told_apart() -> None:
    assert [(4, Code.DUPLICATE)] == _places(_POLICY + _POLICY)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("carefull", 'did you mean "careful"?'),
        ("Careful", 'did you mean "careful"?'),
        ("zzz", "add it under [[policies]], or drop this line"),
    ],
)
def test_a_policy_that_there_is_not_may_have_been_misspelt(name: str, hint: str) -> None:
    loaded = load(f'{_POLICY}[routing]\npolicy = "{name}"', file="file.toml", env={}, base=Path())

    assert [(4, Code.UNKNOWN_NAME, hint)] == [(each.line, each.code, each.hint) for each in loaded.problems]


def test_what_is_wrong_with_a_name_is_told_where_it_is_given() -> None:
    text = (
        _POLICY.replace("careful", "Careful")
        + '[routing]\npolicy = "Careful"\n[[keys]]\nname = "a"\nkey = "k"\npolicy = ""'
    )

    assert [(2, Code.BAD_VALUE), (7, Code.LITERAL_SECRET), (8, Code.BAD_VALUE)] == _places(text)


def test_a_key_without_a_name_may_name_a_policy_too() -> None:
    assert [(1, Code.MISSING_KEY), (3, Code.UNKNOWN_NAME)] == _places("[[keys]]\nkey = 'env:KEY'\npolicy = 'a'")


def _policies(text: str) -> tuple[Policy, ...]:
    loaded = load(text, file="file.toml", env={}, base=Path())
    assert (True, ()) == (loaded.config is not None, loaded.problems)
    return loaded.config.policies if loaded.config else ()


def _places(text: str) -> list[tuple[int, Code]]:
    problems = load(text, file="file.toml", env={"KEY": "k"}, base=Path()).problems
    return [(problem.line, problem.code) for problem in problems]
