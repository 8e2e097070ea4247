"""Scripts as text: what is rendered is read back, and what can't be read is explained."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.core.errors import Break
from satisfice.transport.script import (
    CONNECTING,
    FAULTS,
    Body,
    Comment,
    Drip,
    End,
    Event,
    Fault,
    Head,
    ModelAnswer,
    Raw,
    Repeat,
    Script,
    Split,
    Stall,
    Step,
    Wait,
)
from satisfice.transport.script_text import GRAMMAR, BadScript, Mistake, parse, render

if TYPE_CHECKING:
    from collections.abc import Iterable

_seconds = st.floats(min_value=0, max_value=1e6)
_counts = st.integers(min_value=1, max_value=10**9)
_names = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True).map(str.encode)
_heads = st.builds(
    Head, st.integers(200, 599), st.lists(st.tuples(_names, st.binary(max_size=9)), max_size=3).map(tuple)
)
_pauses = st.one_of(
    st.builds(Wait, _seconds), st.builds(Drip, _seconds), st.builds(Split, st.integers(min_value=0, max_value=10**9))
)
_texts = st.one_of(st.builds(Event, st.text()), st.builds(Comment, st.text()), st.builds(Body, st.text()))
_pieces = st.one_of(_texts, st.builds(Raw, st.binary()))
_bodies = st.one_of(
    _pauses.map(lambda step: (step,)),
    _pieces.map(lambda step: (step,)),
    st.tuples(_pieces, st.builds(Repeat, _counts)),
)
_ends = st.sampled_from([(), (End(),), (Stall(),), (Fault(Break.CUT),), (Fault(Break.MALFORMED),)])


def _script(*parts: Iterable[Step]) -> Script:
    return Script().then(*(step for part in parts for step in part))


_before = st.lists(_pauses, max_size=3)
_scripts = st.one_of(
    st.builds(
        _script,
        _before,
        st.tuples(st.one_of(_heads, st.builds(ModelAnswer, _counts))),
        st.lists(_bodies, max_size=5).map(lambda parts: [step for part in parts for step in part]),
        _ends,
    ),
    st.builds(
        _script,
        _before,
        st.tuples(st.sampled_from([*map(Fault, CONNECTING), Fault(Break.CUT), ModelAnswer(), Stall()])),
    ),
)


@given(_scripts)
def test_what_is_rendered_reads_back_as_the_same_script(script: Script) -> None:
    again = parse(render(script))

    # Steps are tuples, and tuples of different kinds may be equal.
    assert [(type(step), step) for step in script.steps] == [(type(step), step) for step in again.steps]


@given(_scripts)
def test_each_step_is_one_line(script: Script) -> None:
    assert len(script.steps) == render(script).count("\n")


def test_a_text_and_the_builder_say_the_same() -> None:
    text = """
        # a provider that gives up
        head 200 content-type=text/event-stream x-note="two words"
        wait 0.5

        role
        say Good day
        comment  still here
        cut
    """
    fields = {"content-type": "text/event-stream", "x-note": "two words"}

    assert Script().head(200, fields).wait(0.5).role().say("Good day").comment("still here").cut() == parse(text)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("answer", ModelAnswer()),
        ("answer 2", ModelAnswer(2)),
        ("head 204", Head(204)),
        ('head 429 Retry-After=2 x=""', Head(429, ((b"retry-after", b"2"), (b"x", b"")))),
        ("refuse", Fault(Break.REFUSED)),
        ("fault refused", Fault(Break.REFUSED)),
        ("fault connect-timeout", Fault(Break.CONNECT_TIMEOUT)),
        ("cut", Fault(Break.CUT)),
        ("stall", Stall()),
    ],
)
def test_a_script_of_one_line(line: str, step: Step) -> None:
    found = parse(line).steps[0]

    assert (type(step), step) == (type(found), found)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ('event {"a": 1}', Event('{"a": 1}')),
        ('event "two\\nlines"', Event("two\nlines")),
        ('comment ""', Comment("")),
        ("body <html>", Body("<html>")),
        ("raw data: {", Raw(b"data: {")),
        ('raw " ä"', Raw(" ä".encode())),
        ("hex 00 ff", Raw(b"\x00\xff")),
        ("done", Event("[DONE]")),
        ("wait\t1_0", Wait(10)),
        ("drip .5", Drip(0.5)),
        ("split 1", Split(1)),
        ("end", End()),
    ],
)
def test_a_line_after_the_head(line: str, step: Step) -> None:
    found = parse(f"head 200\n{line}").steps[1]

    assert (type(step), step) == (type(found), found)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_has_a_name(kind: Break) -> None:
    assert Script().fault(kind) == parse(render(Script().fault(kind)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evnt {}", "`evnt` is no step: did you mean `event`?"),
        ("xyz", f"`xyz` is no step: there are {', '.join(GRAMMAR)}"),
        ("wait long", "`long` is not a number of seconds: write `wait SECONDS`"),
        ("wait -1", "a time in seconds is 0 or more: write `wait SECONDS`"),
        ("split", "a number has to follow: write `split BYTES`"),
        ("role assistant", "nothing may follow: write `role`"),
        ("event", "something has to follow: write `event DATA`"),
        ('say "open', '"open is not a JSON string: write `say TEXT`'),
        ("head ok", "`ok` is not a whole number: write `head STATUS [NAME=VALUE ...]`"),
        ("head 200 text/html", "`text/html` is not `name=value`: write `head STATUS [NAME=VALUE ...]`"),
        ("head 99", "a status is between 200 and 599: write `head STATUS [NAME=VALUE ...]`"),
        ("fault no", f"`no` is no way to break: write `{GRAMMAR['fault'].form}`"),
        ("wait", "a number has to follow: write `wait SECONDS`"),
        ("usage 3", "a number has to follow: write `usage PROMPT COMPLETION`"),
        ("cut\nhead 200", "the script has come to its end before this step"),
    ],
)
def test_a_line_that_cannot_be_read_is_explained(line: str, message: str) -> None:
    with pytest.raises(BadScript) as caught:
        parse(line)

    assert (Mistake(1 + line.count("\n"), message),) == caught.value.mistakes


def test_all_that_cannot_be_read_is_told_at_once_and_nothing_that_only_follows_from_it() -> None:
    text = dedent("""\
        haed 200
        event {}
        wait x
        cut
        event {}
    """)
    with pytest.raises(BadScript) as caught:
        parse(text)

    assert (
        "line 1: `haed` is no step: did you mean `head`?\nline 3: `x` is not a number of seconds: write `wait SECONDS`"
        == str(caught.value)
    )


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "wait 1\n"])
def test_a_script_that_neither_answers_nor_fails_is_none(text: str) -> None:
    with pytest.raises(BadScript, match="add `answer`, `head` or `refuse`"):
        parse(text)


def test_a_mistake_names_its_file_if_it_has_one() -> None:
    assert "a.toml:3: oh" == str(Mistake(3, "oh", "a.toml"))


@pytest.mark.parametrize("name", GRAMMAR)
def test_every_word_is_explained_by_a_form_that_begins_with_it(name: str) -> None:
    assert name == GRAMMAR[name].form.split()[0]
    assert GRAMMAR[name].meaning
