"""The settings of policies, keys and names."""

from __future__ import annotations

import msgspec
import pytest

from satisfice.config.callers import KEYS, NAMES, POLICIES, CallerKey
from satisfice.config.choices import Choice, Many
from satisfice.config.problems import Unfit
from satisfice.config.tables import Setting, Table
from satisfice.core.secrets import Secret
from satisfice.routing.policy import Policy, Strategy


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        (POLICIES, "for_models", ["*", "claude-*", "gpt-?o", "qwen/qwen3:free"]),
        (POLICIES, "keywords", ["fix", "unit test", "c++", "测试"]),
        (POLICIES, "regions", ["eu", "us-east-1"]),
        (POLICIES, "quantisations", ["fp8", "q4_k_m", "4.5bpw"]),
        (NAMES, "name", "openai/gpt-4o:fast"),
        (NAMES, "aliases", ["@cf/meta/llama-3", "gpt-4o?"]),
    ],
)
def test_a_value_can_be(table: Table[msgspec.Struct], name: str, value: object) -> None:
    assert _setting(table, name).kind.read(value)


@pytest.mark.parametrize(
    ("table", "name", "value", "hint"),
    [
        (POLICIES, "for_models", ["gpt 4o"], ""),
        (POLICIES, "for_models", ["gpt-[45]"], ""),
        (POLICIES, "for_models", [""], ""),
        (POLICIES, "keywords", [" - "], ""),
        (POLICIES, "keywords", ["a\nb"], ""),
        (POLICIES, "regions", ["EU West"], 'perhaps "eu-west"'),
        (POLICIES, "regions", [""], ""),
        (NAMES, "name", "gpt-4o@openai", 'perhaps "gpt-4o-openai"'),
        (NAMES, "name", "my model", 'perhaps "my-model"'),
        (NAMES, "name", "*", ""),
        (NAMES, "aliases", ["gpt-*"], ""),
    ],
)
def test_a_value_can_not_be(table: Table[msgspec.Struct], name: str, value: object, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        _setting(table, name).kind.read(value)

    assert hint == refused.value.hint


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cheap", "cheapest"),
        ("Lowest Latency", "lowest_latency"),
        ("latency-based-routing", "lowest_latency"),
        ("round-robin", "round_robin"),
        ("simple-shuffle", "weighted"),
    ],
)
def test_a_strategy_is_known_by_other_names(written: str, meant: str) -> None:
    with pytest.raises(Unfit) as refused:
        _setting(POLICIES, "strategy").kind.read(written)

    assert f'did you mean "{meant}"?' == refused.value.hint


def test_what_other_programs_call_a_strategy_leads_to_one_that_there_is() -> None:
    kind = _setting(POLICIES, "strategy").kind

    assert isinstance(kind, Choice)
    assert set(kind.also.values()) <= {each.value for each in Strategy}


def test_there_is_a_setting_for_everything_that_a_policy_can_say() -> None:
    settings = {"is_strict" if each.name == "strict" else each.name for each in POLICIES.settings}

    assert {each.name for each in msgspec.structs.fields(Policy)} == settings


def test_every_list_of_texts_says_what_holds_without_it() -> None:
    lists = [each for table in (POLICIES, NAMES) for each in table.settings if isinstance(each.kind, Many)]

    assert lists
    assert [] == [each.name for each in lists if not each.otherwise]


def test_a_key_is_never_shown() -> None:
    key = CallerKey(name="laptop", key=Secret("sk-canary-0123456789"))

    assert "canary" not in repr(key)
    assert _setting(KEYS, "key").kind.hides("sk-canary-0123456789")
    with pytest.raises(TypeError):
        msgspec.json.encode(key)


def _setting(table: Table[msgspec.Struct], name: str) -> Setting:
    return next(each for each in table.settings if each.name == name)
