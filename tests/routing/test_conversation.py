"""Which calls belong together, how many will follow, and what of them is still in caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.catalog.offers import Offer
from satisfice.core.amounts import Usage
from satisfice.routing import conversation as module
from satisfice.routing.conversation import NEW, Conversations, Thread, Warm
from tests.build import a_price, a_request, a_usage, an_offer

_CACHED: Final = a_price(cache_read=100_000)
_OFFER: Final = an_offer(price=_CACHED)
_USAGE: Final = a_usage()
_OTHER: Final = an_offer("other", price=_CACHED)
_MESSAGES: Final = st.lists(st.text(max_size=5), min_size=1, max_size=8)


def test_a_call_that_goes_on_with_another_is_recognised() -> None:
    conversations = Conversations(lifetimes={})
    first = _call(conversations, ["system", "question"], usage=a_usage(2_000, 100), now=10.0)
    second = _recognise(conversations, ["system", "question", "answer", "question"], now=20.0)

    assert (0, 0, {}) == (first.turns, first.prefix, dict(first.warm))
    assert (1, 2_100, {_OFFER.id: Warm(2_100, 10.0)}) == (second.turns, second.prefix, second.warm)
    assert first.key != second.key


def test_the_latest_call_is_found_of_all_that_fit() -> None:
    conversations = Conversations(lifetimes={})
    for turn in range(1, 6):
        thread = _call(conversations, ["message"] * (2 * turn - 1), usage=a_usage(1_000 * turn, 0), now=float(turn))

        assert turn - 1 == thread.turns
        assert 1_000 * (turn - 1) == thread.prefix


def test_the_same_call_again_goes_on_with_itself() -> None:
    """It will find all of its prompt in the cache."""
    conversations = Conversations(lifetimes={})
    _call(conversations, ["question"])

    assert 1 == _recognise(conversations, ["question"]).turns


@given(_MESSAGES, _MESSAGES)
def test_any_conversation_is_recognised_by_all_that_go_on_with_it(said: list[str], more: list[str]) -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, said)

    assert 1 == _recognise(conversations, said + more).turns


@given(_MESSAGES, st.data())
def test_with_an_earlier_message_changed_it_is_another_conversation(said: list[str], data: st.DataObject) -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, said)
    changed = list(said)
    changed[data.draw(st.integers(0, len(said) - 1))] += "!"

    assert 0 == _recognise(conversations, [*changed, "answer", "question"]).turns


@given(_MESSAGES)
def test_what_is_only_the_beginning_of_a_call_is_not_that_conversation(said: list[str]) -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, [*said, "more"])

    assert 0 == _recognise(conversations, said).turns


def test_two_that_go_on_with_the_same_call_go_their_own_ways() -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, ["question"], usage=a_usage(2_000, 0))
    _call(conversations, ["question", "answer", "one"], usage=a_usage(3_000, 0))
    _call(conversations, ["question", "answer", "two"], usage=a_usage(4_000, 0))

    assert 3_000 == _recognise(conversations, ["question", "answer", "one", "answer", "on"]).prefix
    assert 4_000 == _recognise(conversations, ["question", "answer", "two", "answer", "on"]).prefix
    assert 2_000 == _recognise(conversations, ["question", "answer", "three"]).prefix


def test_a_call_without_messages_is_not_noted() -> None:
    conversations = Conversations(lifetimes={})

    assert NEW == _call(conversations, [], now=0.0)
    assert NEW == _recognise(conversations, [], now=0.0)


@pytest.mark.parametrize("place", ["session", "in_body"])
def test_a_conversation_is_recognised_by_its_name_if_its_messages_are_not(place: str) -> None:
    """A client that shortens its history still has a conversation; what its cache is worth must show."""
    conversations = Conversations(lifetimes={})
    name = {place: "mine"}
    _call(conversations, ["a long story"], usage=a_usage(10_000, 0), name=name)
    thread = _recognise(conversations, ["a summary"], name=name)

    assert (1, 10_000, 0.5, 0.5) == (thread.turns, thread.prefix, thread.share, thread.remaining)
    assert 5_000 == conversations.expected_cached(thread, _OFFER, input_tokens=12_000, now=1.0)
    assert 0 == _recognise(conversations, ["a summary"], name={"session": "yours"}).turns
    assert 0 == _recognise(conversations, ["a summary"]).turns


def test_the_caller_s_header_counts_over_the_body() -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, ["one"], name={"session": "header"})

    assert 1 == _recognise(conversations, ["two"], name={"session": "header", "in_body": "body"}).turns
    assert 0 == _recognise(conversations, ["two"], name={"in_body": "body"}).turns


def test_messages_count_over_the_name() -> None:
    conversations = Conversations(lifetimes={})
    name = {"session": "mine"}
    _call(conversations, ["one"], usage=a_usage(2_000, 0), name=name)
    _call(conversations, ["two"], usage=a_usage(3_000, 0), name=name)
    thread = _recognise(conversations, ["one", "answer", "question"], name=name)

    assert (2_000, None) == (thread.prefix, thread.share)


def test_a_conversation_without_messages_has_its_name() -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, [], name={"session": "mine"})

    assert 1 == _recognise(conversations, [], name={"session": "mine"}).turns


@pytest.mark.parametrize(("read", "share"), [(0, 0.0), (2_000, 1 / 6), (12_000, 1.0)])
def test_what_a_name_is_worth_is_learnt(read: int, share: float) -> None:
    """One conversation, whose messages are written anew each time, or all that a user does."""
    conversations = Conversations(lifetimes={})
    usage = Usage(uncached=12_000 - read, cache_read=read)
    for number in range(8):
        _call(conversations, [f"question {number}"], usage=usage, name={"session": "mine"})
    thread = _recognise(conversations, ["question"], name={"session": "mine"})

    assert share == pytest.approx(thread.share, abs=0.01)
    expected = conversations.expected_cached(thread, _OFFER, input_tokens=12_000, now=1.0)
    assert min(0.8, share) * 12_000 == pytest.approx(expected, abs=120)


def test_what_a_name_is_worth_is_not_forgotten_when_messages_are_recognised() -> None:
    conversations = Conversations(lifetimes={})
    name = {"session": "mine"}
    for number in range(4):
        _call(conversations, [f"question {number}"], usage=a_usage(12_000), name=name)
    share = _recognise(conversations, ["new"], name=name).share
    _call(conversations, ["question 3", "answer", "more"], usage=a_usage(12_000), name=name)

    assert share == _recognise(conversations, ["new"], name=name).share


def test_names_tell_nothing_of_a_provider_s_cache() -> None:
    conversations = Conversations(lifetimes={})
    for number in range(8):
        _call(conversations, [f"question {number}"], usage=a_usage(12_000), name={"session": "mine"})

    assert 8_000 == conversations.kept(NEW, _OFFER, tokens=10_000)


def test_as_many_turns_are_expected_as_there_have_been() -> None:
    conversations = Conversations(lifetimes={})
    remaining = [_turn(conversations, turn).remaining for turn in range(80)]

    assert [0.0, 1.0, 2.0, 3.0] == remaining[:4]
    assert [50.0] * 30 == remaining[50:]


def test_how_many_calls_follow_is_learnt_for_what_opens_alike() -> None:
    """Here agents, who take ten turns, and somebody who asks once: told apart by their system prompts."""
    conversations = Conversations(lifetimes={})
    for number in range(20):
        _call(conversations, ["You answer.", f"question {number}"])
        messages = ["You are an agent.", f"task {number}"]
        for _ in range(10):
            _call(conversations, messages)
            messages += ["step", "result"]

    assert 0.0 == _recognise(conversations, ["You answer.", "question"]).remaining
    assert 9.0 == pytest.approx(_recognise(conversations, ["You are an agent.", "task"]).remaining, rel=0.2)
    assert 0.0 == _recognise(conversations, ["You are another.", "task"]).remaining

    messages = ["You are an agent.", "task"]
    left = []
    for _ in range(8):
        left.append(_call(conversations, messages).remaining)
        messages += ["step", "result"]
    assert [9, 8, 7, 6, 5, 5, 6, 7] == pytest.approx(left, rel=0.2)


def test_a_loop_that_never_ends_is_expected_to_go_on_for_fifty_calls() -> None:
    conversations = Conversations(lifetimes={})
    for _ in range(2_000):
        _call(conversations, ["system", "the same"])

    assert 50.0 == _recognise(conversations, ["system", "the same"]).remaining
    assert 50.0 == _recognise(conversations, ["system", "another"]).remaining


def test_each_offer_has_in_its_cache_what_it_was_given() -> None:
    conversations = Conversations(lifetimes={})
    _call(conversations, ["one"], usage=a_usage(2_000, 0), now=0.0)
    _call(conversations, ["one", "two"], usage=a_usage(3_000, 0), offer=_OTHER, now=10.0)
    thread = _recognise(conversations, ["one", "two", "three"], now=20.0)

    assert [(_OTHER.id, Warm(3_000, 10.0)), (_OFFER.id, Warm(2_000, 0.0))] == list(thread.warm.items())
    assert [1_600, 2_400] == [
        conversations.expected_cached(thread, offer, input_tokens=4_000, now=20.0) for offer in (_OFFER, _OTHER)
    ]


def test_a_conversation_is_remembered_at_eight_offers() -> None:
    conversations = Conversations(lifetimes={})
    for number in range(20):
        _call(conversations, ["one"], offer=an_offer(f"provider-{number}"))
    thread = _recognise(conversations, ["one"])

    assert [f"small@provider-{number}" for number in range(19, 11, -1)] == list(thread.warm)


def test_nothing_is_expected_of_an_offer_that_was_given_nothing_or_long_ago() -> None:
    conversations = Conversations(lifetimes={"acme": 60.0})
    _call(conversations, ["one"], usage=a_usage(2_000, 0), now=0.0)
    thread = _recognise(conversations, ["one", "two"], now=0.0)

    assert 0 == conversations.expected_cached(thread, _OTHER, input_tokens=3_000, now=0.0)
    assert [1_600, 1_600, 0] == [
        conversations.expected_cached(thread, _OFFER, input_tokens=3_000, now=now) for now in (0.0, 60.0, 60.5)
    ]
    assert 0 == conversations.expected_cached(NEW, _OFFER, input_tokens=3_000, now=0.0)


@given(
    usage=st.builds(a_usage, st.integers(0, 10**400), st.integers(0, 10**6), cache_read=st.integers(0, 10**400)),
    input_tokens=st.integers(0, 10**6),
    names=st.tuples(st.booleans(), st.booleans()),
    gaps=st.lists(st.floats(0.0, 1e5), min_size=1, max_size=5),
)
def test_no_more_is_expected_from_the_cache_than_the_prompt_has(
    usage: Usage, input_tokens: int, names: tuple[bool, bool], gaps: list[float]
) -> None:
    conversations = Conversations(lifetimes={})
    has_name, is_edited = names
    name = {"session": "mine"} if has_name else {}
    now = 0.0
    for number, gap in enumerate(gaps):
        now += gap
        _call(conversations, [f"message {number * is_edited}"], usage=usage, name=name, now=now)
    thread = _recognise(conversations, ["message 0"], name=name, now=now)

    assert 0 <= conversations.expected_cached(thread, _OFFER, input_tokens=input_tokens, now=now) <= input_tokens
    assert 0 <= conversations.kept(thread, _OFFER, tokens=input_tokens) <= input_tokens


def test_what_a_provider_served_teaches_what_it_will() -> None:
    """Half of what it could have served, each time."""
    conversations = Conversations(lifetimes={})
    for turn in range(30):
        usage = Usage(uncached=5_000 + 1_000 * turn, cache_read=5_000 + 1_000 * turn)
        _turn(conversations, turn, usage=usage, now=float(turn))

    assert 4_900 < conversations.kept(NEW, _OFFER, tokens=10_000) < 6_000


def test_how_long_a_provider_holds_prompts_is_learnt() -> None:
    conversations = Conversations(lifetimes={})
    for turn in range(10):
        _turn(conversations, turn, usage=Usage(uncached=100, cache_read=10_000), now=3_000.0 * turn)
    thread = _recognise(conversations, ["message"] * 19, now=27_000.0)

    assert 8_080 == conversations.expected_cached(thread, _OFFER, input_tokens=20_000, now=29_900.0)


def test_calls_that_nothing_follows_drive_out_no_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_CALLS", 3)
    conversations = Conversations(lifetimes={})
    _call(conversations, ["one"])
    _call(conversations, ["one", "two"])
    for number in range(10):
        _call(conversations, [f"question {number}"])

    assert 2 == _recognise(conversations, ["one", "two", "three"]).turns
    assert 0 == _recognise(conversations, ["question 6", "more"]).turns
    assert 1 == _recognise(conversations, ["question 7", "more"]).turns


def test_every_table_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("_CALLS", "_NAMES", "_OPENINGS"):
        monkeypatch.setattr(module, bound, 2)
    conversations = Conversations(lifetimes={})
    for number in range(4):
        for _ in range(3):
            _call(conversations, [f"opening {number}", "question"], name={"session": f"{number}"})

    by_messages = [_recognise(conversations, [f"opening {number}", "question"]) for number in range(4)]
    by_name = [_recognise(conversations, ["else"], name={"session": f"{number}"}) for number in range(4)]
    by_opening = [_recognise(conversations, [f"opening {number}", "else"]) for number in range(4)]
    assert [1, 1, 3, 3] == [thread.turns for thread in by_messages]  # first calls have a table of their own
    assert [0, 0, 3, 3] == [thread.turns for thread in by_name]
    assert [False, False, True, True] == [thread.remaining > 0 for thread in by_opening]


def test_what_is_older_than_a_day_is_forgotten() -> None:
    conversations = Conversations(lifetimes={})
    for number in range(3):
        _call(conversations, [f"question {number}"], now=3_600.0 * number)
    _call(conversations, ["question"], now=86_400.0 + 3_600.0)

    assert [0, 1, 1] == [_recognise(conversations, [f"question {number}", "more"]).turns for number in range(3)]


def _turn(conversations: Conversations, turn: int, *, usage: Usage = _USAGE, now: float = 0.0) -> Thread:
    return _call(conversations, ["message"] * (2 * turn + 1), usage=usage, now=now)


def _call(
    conversations: Conversations,
    messages: Sequence[str],
    *,
    usage: Usage = _USAGE,
    offer: Offer = _OFFER,
    name: dict[str, str] | None = None,
    now: float = 0.0,
) -> Thread:
    """A call that is answered at once; what it was recognised as."""
    thread = _recognise(conversations, messages, name=name, now=now)
    conversations.note(thread, offer, usage=usage, now=now)
    return thread


def _recognise(
    conversations: Conversations, messages: Sequence[str], *, name: dict[str, str] | None = None, now: float = 0.0
) -> Thread:
    """By messages, the name in the header (`session`) and that in the body (`in_body`)."""
    said = name or {}
    request = msgspec.structs.replace(a_request(), session=said.get("in_body"))
    raw = [msgspec.Raw(msgspec.json.encode(message)) for message in messages]
    return conversations.recognise(request, raw, session=said.get("session"), now=now)
