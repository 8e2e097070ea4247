"""What providers have wrong, as calls have shown."""

from __future__ import annotations

import msgspec
import pytest

from satisfice.catalog.lessons import Lesson, Lessons
from satisfice.catalog.model import Capabilities
from satisfice.catalog.offers import Offer, OfferId
from satisfice.wire.request import Ability
from tests.build import an_offer

_ID = OfferId("small@acme")


def _able(capabilities: Capabilities) -> Offer:
    return msgspec.structs.replace(an_offer(), capabilities=capabilities)


def test_an_offer_of_which_nothing_was_learnt_stays_the_same() -> None:
    lessons = Lessons()
    lessons.learn_context(OfferId("small@bell"), 8_192)
    offer = an_offer()

    assert offer is lessons.apply(offer)


@pytest.mark.parametrize(("listed", "learnt", "true"), [(128, 8, 8), (None, 8, 8), (4, 8, 4), (8, 8, 8)])
def test_a_window_is_never_larger_than_was_learnt_nor_than_listed(listed: int | None, learnt: int, true: int) -> None:
    lessons = Lessons()

    assert lessons.learn_context(_ID, learnt)

    assert (
        Capabilities(context=true, max_output=3)
        == lessons.apply(_able(Capabilities(context=listed, max_output=3))).capabilities
    )


def test_the_latest_word_on_a_window_counts() -> None:
    lessons = Lessons()

    assert lessons.learn_context(_ID, 8_192)
    assert lessons.learn_context(_ID, 16_384)

    assert 16_384 == lessons.apply(an_offer()).capabilities.context


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_window_of_nothing_teaches_nothing(tokens: int) -> None:
    lessons = Lessons()

    assert not lessons.learn_context(_ID, tokens)

    assert () == lessons.shown()


def test_an_offer_lacks_what_it_was_found_to_lack_whatever_is_listed() -> None:
    lessons = Lessons()
    able = Capabilities(has=frozenset((Ability.TOOLS, Ability.VISION)), lacks=frozenset((Ability.REASONING,)))

    assert lessons.learn_lack(_ID, Ability.TOOLS)
    assert lessons.learn_lack(_ID, Ability.JSON_SCHEMA)

    assert lessons.apply(_able(able)).capabilities == Capabilities(
        has=frozenset((Ability.VISION,)), lacks=frozenset((Ability.REASONING, Ability.TOOLS, Ability.JSON_SCHEMA))
    )


def test_a_lesson_learnt_again_is_no_news() -> None:
    lessons = Lessons()
    lessons.learn_context(_ID, 8_192)
    lessons.learn_lack(_ID, Ability.TOOLS)

    assert not lessons.learn_context(_ID, 8_192)
    assert not lessons.learn_lack(_ID, Ability.TOOLS)


def test_what_was_learnt_is_shown() -> None:
    lessons = Lessons()
    lessons.learn_lack(OfferId("a@x"), Ability.VISION)
    lessons.learn_context(OfferId("b@x"), 8_192)
    lessons.learn_context(OfferId("a@x"), 4_096)

    assert lessons.shown() == (
        Lesson(offer=OfferId("b@x"), context=8_192),
        Lesson(offer=OfferId("a@x"), context=4_096, lacks=frozenset((Ability.VISION,))),
    )


def test_what_was_confirmed_longest_ago_is_forgotten_first() -> None:
    """Whoever takes any model can be asked for any number of them."""
    lessons = Lessons(most=2)
    first, second, third = (OfferId(f"{name}@acme") for name in "abc")
    lessons.learn_context(first, 1)
    lessons.learn_context(second, 2)
    lessons.learn_context(first, 1)
    lessons.learn_context(third, 3)

    assert [first, third] == [lesson.offer for lesson in lessons.shown()]


def test_lessons_survive_a_restart() -> None:
    before, after = Lessons(), Lessons()
    before.learn_context(_ID, 8_192)
    before.learn_lack(_ID, Ability.TOOLS)

    kept = msgspec.json.encode(before.snapshot())
    after.restore(msgspec.json.decode(kept, type=tuple[Lesson, ...]))

    assert before.shown() == after.shown()
    assert before.apply(an_offer()) == after.apply(an_offer())


def test_no_more_is_restored_than_is_kept() -> None:
    lessons = Lessons(most=1)

    lessons.restore([Lesson(offer=OfferId("a@x"), context=1), Lesson(offer=OfferId("b@x"), context=2)])

    assert ["b@x"] == [lesson.offer for lesson in lessons.shown()]
