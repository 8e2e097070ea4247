"""Where keys and values stand in a TOML text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.config.spans import KeyPath, Span, locate

_KEYS = ["a", "b-1", "9", "true", '"c d"', "'e.f'", '"\\u00e9"', '"\\"#"', '""', "' '", '"模型"']
_SCALARS = [
    "1",
    "-1_000",
    "0x1F",
    "6.02e23",
    "true",
    "1979-05-27 07:32:00.5+01:00",
    "07:32:00",
    '""',
    "''",
    '"a # [b] = {c}"',
    '"\\"\\\\"',
    "'C:\\'",
    '"""\n# one\n[two]\n"" three\n"""',
    '"""\\\n  \\"""a"""""',
    '""""""',
    "'''\na = 1'' b'''''",
]
_BLANKS = ["", " ", "\t "]
_BREAKS = ["", " ", "\n", " # a comment ] } , [\n  "]


@st.composite
def _values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.sampled_from(["scalar", "scalar", "array", "table"] if depth else ["scalar"]))
    if kind == "scalar":
        return draw(st.sampled_from(_SCALARS))
    if kind == "table":
        return "{" + ",".join(draw(_pairs(depth - 1))) + " }"
    items = draw(st.lists(_values(depth - 1), max_size=3))
    space = draw(st.sampled_from(_BREAKS))
    comma = draw(st.sampled_from(["", ","])) if items else ""
    return f"[{space}{f'{space},{space}'.join(items)}{space}{comma}{space}]"


@st.composite
def _pairs(draw: st.DrawFn, depth: int = 2) -> list[str]:
    """Settings of one table, none twice, some under dotted keys."""
    pairs = []
    for key in draw(st.lists(st.sampled_from(_KEYS), unique=True, max_size=4)):
        blank = draw(st.sampled_from(_BLANKS))
        tails = draw(st.lists(st.sampled_from(_KEYS), unique=True, max_size=2))
        for tail in tails or [""]:
            dotted = f"{key}{blank}.{blank}{tail}" if tail else key
            pairs.append(f"{blank}{dotted}{blank}={blank}{draw(_values(depth))}")
    return pairs


@st.composite
def _sections(draw: st.DrawFn) -> list[str]:
    """A table or a list of tables under its header, with tables below it."""
    name = draw(st.sampled_from(["t", '"u v"', "w . x"]))
    header = draw(st.sampled_from([f"[{name}]", f"[[{name}]]"]))
    lines = []
    for _ in range(draw(st.integers(1, 3)) if header.startswith("[[") else 1):
        lines += [header, *draw(_pairs())]
        lines += [f"[{name}.inner]", *draw(_pairs())] if draw(st.booleans()) else []
        for _ in range(draw(st.integers(0, 2))):
            lines += [f"  [[ {name}. many ]] # so many", *draw(_pairs())]
    return lines


@st.composite
def _documents(draw: st.DrawFn) -> str:
    """A valid TOML text of every notation there is."""
    lines = [*draw(_pairs()), *draw(_sections())]
    end = draw(st.sampled_from(["\n", " # the end\n", "\n\n# between\n"]))
    return "".join(f"{line}{end}" for line in lines)


@given(_documents())
def test_every_key_and_value_that_tomllib_finds_is_located(text: str) -> None:
    spans = locate(text)
    document = tomllib.loads(text)
    names = [path for path, _ in _walk(document) if isinstance(path[-1], str)]

    assert set(names) == set(spans.keys)
    assert [path[-1] for path in names] == [_key(text, spans.keys[path]) for path in names]
    for path, value in _walk(document):
        if not isinstance(value, dict | list):
            start, stop = spans.values[path]
            assert value == tomllib.loads(f"value = {text[start:stop]}")["value"]


@given(_documents())
def test_without_its_comments_a_text_means_the_same(text: str) -> None:
    rest, comments = text, locate(text).comments
    for start, stop in reversed(comments):
        assert rest[start:stop].startswith("#")
        rest = rest[:start] + rest[stop:]

    assert tomllib.loads(text) == tomllib.loads(rest)
    assert [] == locate(rest).comments


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("server",), Span(1, 2, 6), Span(1, 1, 8)),
        (("server", "port"), Span(2, 3, 4), Span(2, 10, 2)),
        (("list",), Span(3, 3, 4), Span(3, 3, 4)),
        (("list", 1), Span(5, 1, 8), Span(5, 1, 8)),
        (("list", 1, "text"), Span(6, 1, 4), Span(6, 8, 6)),
        (("list", 1, "deep", "er"), Span(8, 8, 2), Span(8, 13, 1)),
        (("list", 1, "deep"), Span(8, 1, 6), Span(8, 1, 6)),
        (("server", "host"), Span(1, 2, 6), Span(1, 1, 8)),
        (("nowhere",), Span(1, 1, 0), Span(1, 1, 0)),
    ],
)
def test_a_place_is_told_as_line_column_and_length(path: KeyPath, key: Span, value: Span) -> None:
    """A value of several lines ends with the first; what isn't there is at what is around it."""
    text = '[server]\n  port = 80\n[[list]]\na = 1\n[[list]]\ntext = """one\ntwo"""\n"deep".er = 5'

    assert (key, value) == (locate(text).key(path), locate(text).value(path))


def test_a_text_that_is_not_toml_is_refused() -> None:
    with pytest.raises(ValueError, match="not TOML at character 4"):
        locate("a = ]")


def _walk(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Everything in a document, with its path."""
    if path:
        yield path, value
    match value:
        case dict():
            for name, each in value.items():
                yield from _walk(each, (*path, name))
        case list():
            for number, each in enumerate(value):
                yield from _walk(each, (*path, number))


def _key(text: str, extent: tuple[int, int]) -> str:
    start, stop = extent
    return next(iter(tomllib.loads(f"{text[start:stop]} = 1")))
