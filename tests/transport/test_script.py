"""Scripts as values: the builder makes what it says and refuses what no upstream could do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.errors import Break
from satisfice.transport.script import (
    FAULTS,
    Body,
    Comment,
    Drip,
    End,
    Event,
    Fault,
    Head,
    Misplaced,
    ModelAnswer,
    Raw,
    Repeat,
    Script,
    Split,
    Stall,
    Step,
    Wait,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_builder_makes_a_step_for_each_call() -> None:
    script = (
        Script().wait(1).split(7).drip(0.5).head(200, {"X-Name": "é"}).event("{}").comment("hm").body("{").raw(b"\xff")
    )

    assert (
        Wait(1),
        Split(7),
        Drip(0.5),
        Head(200, ((b"x-name", b"\xe9"),)),
        Event("{}"),
        Comment("hm"),
        Body("{"),
        Raw(b"\xff"),
    ) == script.steps


@pytest.mark.parametrize(
    ("end", "step"),
    [
        (Script.cut, Fault(Break.CUT)),
        (Script.stall, Stall()),
        (Script.end, End()),
        (lambda script: script.repeat(3), Repeat(3)),
        (lambda script: script.fault(Break.MALFORMED), Fault(Break.MALFORMED)),
    ],
)
def test_the_builder_makes_the_last_step_too(end: Callable[[Script], Script], step: object) -> None:
    begun = Script().head(200).event("{}")
    last = end(begun).steps[-1]

    assert (type(step), step) == (type(last), last)


def test_a_script_is_a_value_and_the_builder_leaves_it_as_it_was() -> None:
    script = Script().head(200)
    script.cut()

    assert Script().head(200) == script
    assert 1 == len({script, Script().head(200)})


def test_the_sugar_for_chat_streams_is_what_a_chat_stream_is_made_of() -> None:
    script = Script().head(200).role().say("Good day.").finish().usage(3, 2).done()
    events = [step.data for step in script.steps if isinstance(step, Event)]
    chunks = [msgspec.json.decode(data) for data in events[:-1]]
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]

    assert [{"role": "assistant", "content": ""}, {"content": "Good"}, {"content": " day."}, {}] == [
        choice["delta"] for choice in choices
    ]
    assert [None, None, None, "stop"] == [choice["finish_reason"] for choice in choices]
    assert {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5} == chunks[-1]["usage"]
    assert [] == chunks[-1]["choices"]
    assert "[DONE]" == events[-1]


def test_a_big_event_has_exactly_the_size_asked_for() -> None:
    event = Script().head(200).big(1_000).steps[-1]

    assert isinstance(event, Event)
    assert 1_000 == len(f"data: {event.data}\n\n")
    assert msgspec.json.decode(event.data)["choices"][0]["delta"]["content"]


_HEAD = Head(200)
_EVENT = Event("{}")
_CUT = Fault(Break.CUT)


@pytest.mark.parametrize(
    "steps",
    [
        (Head(100),),
        (Head(600),),
        (Wait(-1),),
        (Wait(math.nan),),
        (Drip(math.inf),),
        (Split(-1),),
        (ModelAnswer(0),),
        (_HEAD, _EVENT, Repeat(0)),
        (Fault(Break.IDLE_TIMEOUT),),
        (Fault(Break.TOO_LARGE),),
    ],
)
def test_an_impossible_value_is_refused(steps: tuple[Step, ...]) -> None:
    with pytest.raises(ValueError, match=r"or more|between|consequence"):
        Script().then(*steps)


def test_an_event_smaller_than_its_frame_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 1[0-9][0-9] bytes"):
        Script().head(200).big(50)


@pytest.mark.parametrize(
    "steps",
    [
        (_EVENT,),
        (Raw(b"x"),),
        (End(),),
        (_HEAD, _HEAD),
        (_HEAD, ModelAnswer()),
        (ModelAnswer(2), _HEAD),
        (ModelAnswer(), _EVENT),
        (_HEAD, Fault(Break.REFUSED)),
        (ModelAnswer(1), Fault(Break.TLS)),
        (_CUT, _HEAD),
        (Stall(), _CUT),
        (_HEAD, End(), Comment("late")),
        (Repeat(2),),
        (_HEAD, Wait(1), Repeat(2)),
        (_HEAD, _EVENT, Repeat(2), Repeat(2)),
    ],
)
def test_a_step_that_cannot_stand_there_is_refused(steps: tuple[Step, ...]) -> None:
    allowed = Script().then(*steps[:-1])

    with pytest.raises(Misplaced):
        allowed.then(steps[-1])


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_can_come_before_the_head(kind: Break) -> None:
    assert (Fault(kind),) == Script().fault(kind).steps


def test_after_some_events_of_the_demo_model_the_script_goes_on() -> None:
    assert (ModelAnswer(2), Event("{}"), Fault(Break.CUT)) == Script().answer(2).event("{}").cut().steps


def test_words_are_cut_before_the_space() -> None:
    assert ["One", " two,", "\n\nthree. "] == words("One two,\n\nthree. ")


@given(st.text())
def test_words_joined_are_the_text_again_and_none_is_empty(text: str) -> None:
    found = words(text)

    assert text == "".join(found)
    assert all(found)
