"""The kinds of value that choose."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.config.choices import ABILITIES, Choice, Many, Shares
from satisfice.config.problems import Code, Unfit
from satisfice.config.spans import KeyPath
from satisfice.config.values import Kind, Text, Whole
from satisfice.wire.request import Ability


class _Pace(Enum):
    SLOW = "slow"
    VERY_FAST = "very_fast"


class _One(Enum):
    ONLY = "only"


_PACE = Choice(_Pace, {"rapid": "very_fast", "at_leisure": "slow"})
_WORDS = Many(Text("a word", "[a-z]+", lambda text: text.casefold()), "a list of words")
_PACES = Many(_PACE, "a list of paces")
_SHARES = Shares(Whole(1, 9))


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (_PACE, "slow", _Pace.SLOW),
        (_PACE, "very_fast", _Pace.VERY_FAST),
        (_WORDS, ["b", "a"], ("b", "a")),
        (_PACES, ["slow"], (_Pace.SLOW,)),
        (_SHARES, {"b": 3, "a": 1}, (("b", 3), ("a", 1))),
    ],
)
def test_a_fit_value_is_read_in_its_order(kind: Kind, value: object, read: object) -> None:
    assert read == kind.read(value)


@pytest.mark.parametrize(
    ("value", "code", "hint"),
    [
        ("slwo", Code.BAD_VALUE, 'did you mean "slow"?'),
        ("Slow", Code.BAD_VALUE, 'did you mean "slow"?'),
        ("very-fast", Code.BAD_VALUE, 'did you mean "very_fast"?'),
        ("Very Fast", Code.BAD_VALUE, 'did you mean "very_fast"?'),
        ("rapid", Code.BAD_VALUE, 'did you mean "very_fast"?'),
        ("at-leisure", Code.BAD_VALUE, 'did you mean "slow"?'),
        ("zzz", Code.BAD_VALUE, ""),
        ("", Code.BAD_VALUE, ""),
        (1, Code.BAD_TYPE, ""),
        (["slow"], Code.BAD_TYPE, ""),
    ],
)
def test_another_word_is_refused_with_the_one_that_may_have_been_meant(value: object, code: Code, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        _PACE.read(value)

    assert (code, hint) == (refused.value.code, refused.value.hint)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (_WORDS, [], (Code.BAD_VALUE, "is empty", "name at least one, or drop the line", ())),
        (_WORDS, "a", (Code.BAD_TYPE, "", 'write it in brackets: ["a"]', ())),
        (_WORDS, {"a": 1}, (Code.BAD_TYPE, "", "", ())),
        (_WORDS, ["a", "B"], (Code.BAD_VALUE, 'may hold a word, not "B"', 'perhaps "b"', (1,))),
        (_WORDS, [["a"]], (Code.BAD_TYPE, "may hold a word, not a list", "", (0,))),
        (_WORDS, ["a", "b", "a"], (Code.DUPLICATE, 'has "a" twice', "keep one of the two", (2,))),
        (
            _PACES,
            ["slwo"],
            (Code.BAD_VALUE, 'may hold "slow" or "very_fast", not "slwo"', 'did you mean "slow"?', (0,)),
        ),
        (_SHARES, {}, (Code.BAD_VALUE, "is empty", "name at least one, or drop it", ())),
        (_SHARES, ["a"], (Code.BAD_TYPE, "", "", ())),
        (_SHARES, 3, (Code.BAD_TYPE, "", "", ())),
        (_SHARES, {"a": 1, "b": 0}, (Code.BAD_VALUE, "may hold a whole number from 1 to 9, not 0", "", ("b",))),
        (_SHARES, {"a": -1}, (Code.BAD_VALUE, "may hold a whole number from 1 to 9, not -1", "", ("a",))),
        (_SHARES, {"a": Decimal("1.5")}, (Code.BAD_TYPE, "may hold a whole number from 1 to 9, not 1.5", "", ("a",))),
        (_SHARES, {"a": True}, (Code.BAD_TYPE, "may hold a whole number from 1 to 9, not true", "", ("a",))),
    ],
)
def test_what_can_not_be_is_refused_where_it_stands(
    kind: Kind, value: object, told: tuple[Code, str, str, KeyPath]
) -> None:
    with pytest.raises(Unfit) as refused:
        kind.read(value)

    unfit = refused.value
    assert told == (unfit.code, unfit.why, unfit.hint, unfit.at)


def test_a_text_under_a_name_of_anybody_s_choosing_is_not_repeated() -> None:
    """It could be a key that somebody put beside the name of its provider."""
    with pytest.raises(Unfit) as refused:
        _SHARES.read({"a": "sk-canary-0123456789"})

    assert "canary" not in f"{refused.value.why} {refused.value.hint}"


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=2)))
def test_a_list_is_read_as_it_is_or_refused_for_what_is_in_it_twice(words: list[str]) -> None:
    try:
        assert tuple(words) == _WORDS.read(words)
    except Unfit as unfit:
        if words:
            (number,) = unfit.at
            assert isinstance(number, int)
            assert words[number] in words[:number]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (_PACE, '"slow" or "very_fast"'),
        (Choice(_One), '"only"'),
        (ABILITIES.each, '"tools", "vision", "json_schema" or "reasoning"'),
        (_WORDS, "a list of words"),
        (_SHARES, "a table of names, each with a whole number from 1 to 9"),
    ],
)
def test_a_kind_says_in_words_what_it_takes(kind: Kind, what: str) -> None:
    assert what == kind.what


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (_PACE, {"enum": ["slow", "very_fast"]}),
        (_PACES, {"type": "array", "items": {"enum": ["slow", "very_fast"]}, "minItems": 1, "uniqueItems": True}),
        (
            _SHARES,
            {
                "type": "object",
                "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 9},
                "minProperties": 1,
            },
        ),
    ],
)
def test_a_kind_says_to_an_editor_what_it_takes(kind: Kind, schema: dict[str, object]) -> None:
    assert schema == kind.schema()


@pytest.mark.parametrize("kind", [_PACE, _WORDS, _SHARES])
def test_plain_values_may_be_shown(kind: Kind) -> None:
    assert not kind.hides("anything")


@pytest.mark.parametrize("name", ["function_calling", "images", "json_mode", "thinking"])
def test_abilities_under_the_names_of_other_programs_are_understood(name: str) -> None:
    with pytest.raises(Unfit, match=name) as refused:
        ABILITIES.read([name])

    assert refused.value.hint in {f'did you mean "{each.value}"?' for each in Ability}


def test_what_other_programs_call_a_word_leads_to_a_word_that_there_is() -> None:
    assert isinstance(ABILITIES.each, Choice)
    assert set(ABILITIES.each.also.values()) <= {each.value for each in Ability}
