"""Hypothesis strategies for the text of JSON: all its spellings, not only those that an encoder would choose."""

from __future__ import annotations

import json

from hypothesis import strategies as st

__all__ = ["members", "object_text", "values"]

_BLANK = st.sampled_from(["", "", " ", "\n", "\t ", "\r\n  "])
_NUMBERS = st.sampled_from(["0", "-0", "1e400", "0.10", "1E+2", "-1.5e-7", "3.0", "123456789012345678901234567890"])
_PIECES = st.sampled_from(
    ["a", "é", "😀", "[{", "}]", ",", ":", "\\u00e9", "\\/", "\\n", "\\\\", '\\"', "\\ud83d\\ude00", "\\b\\f\\r\\t"]
)
_STRINGS = st.one_of(
    st.lists(_PIECES, max_size=6).map(lambda pieces: '"' + "".join(pieces) + '"'),
    st.text(max_size=6).map(json.dumps),
)
_SCALARS = st.one_of(st.sampled_from(["null", "true", "false"]), _NUMBERS, _STRINGS)


def _spaced(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(_BLANK, text, _BLANK).map("".join)


def _arrays(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(_BLANK, st.lists(_spaced(items), min_size=1, max_size=3).map(",".join)).map("[{}]".format)


def _objects(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.tuples(_spaced(_STRINGS), _spaced(items)).map(":".join)
    return st.one_of(_BLANK, st.lists(member, min_size=1, max_size=3).map(",".join)).map(lambda text: f"{{{text}}}")


values = st.recursive(_SCALARS, lambda items: st.one_of(_arrays(items), _objects(items)), max_leaves=5)
"""The text of any JSON value, without blanks around it."""

members = st.lists(st.tuples(st.text(max_size=4), values), max_size=5, unique_by=lambda member: member[0])
"""Keys, as text, and the texts of their values."""


@st.composite
def object_text(draw: st.DrawFn, of: list[tuple[str, str]]) -> bytes:
    """One of the ways to write an object of these members."""
    written = [
        f"{draw(_BLANK)}{json.dumps(key, ensure_ascii=draw(st.booleans()))}{draw(_BLANK)}:{draw(_BLANK)}{value}"
        for key, value in of
    ]
    return f"{draw(_BLANK)}{{{','.join(written)}{draw(_BLANK)}}}{draw(_BLANK)}".encode()
