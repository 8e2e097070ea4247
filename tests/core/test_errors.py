"""The exception tree: as drawn, and each leaf with all that a caller needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from satisfice.core import errors
from satisfice.core.errors import BadRequest, Break, Broken, CallerError, GatewayError, Source

_DRAWN = re.compile(r"^    (?P<indent>[│ ]*)[├└]── (?P<name>\w+)(?: +(?P<status>\d{3}))?", re.MULTILINE)


def _all_kinds(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    for child in _children(kind):
        yield child
        yield from _all_kinds(child)


def _children(kind: type[GatewayError]) -> list[type[GatewayError]]:
    """Those of the tree itself: a module above may have one of its own that adds a field."""
    return [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]


def _leaves() -> list[type[GatewayError]]:
    return [kind for kind in _all_kinds() if not _children(kind)]


def _drawn() -> Iterator[tuple[str, str, int | None]]:
    """Each error in the drawing: its parent, its name, its status."""
    parents = {0: "GatewayError"}
    for match in _DRAWN.finditer(errors.__doc__ or ""):
        level = len(match["indent"]) // 4
        parents[level + 1] = match["name"]
        yield parents[level], match["name"], int(match["status"]) if match["status"] else None


def test_the_tree_in_the_docstring_is_the_tree_of_the_code() -> None:
    real = {(kind.__bases__[0].__name__, kind.__name__) for kind in _all_kinds()}

    assert real == {(parent, name) for parent, name, _ in _drawn()}


def test_the_statuses_in_the_docstring_are_those_of_the_leaves() -> None:
    drawn = {name: status for _, name, status in _drawn() if status is not None}

    assert {kind.__name__: kind.status for kind in _leaves()} == drawn


def test_every_leaf_has_a_code_of_its_own() -> None:
    """Documentation and clients tell errors apart by their codes."""
    codes = [kind.code for kind in _leaves()]

    assert sorted(set(codes)) == sorted(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", _leaves(), ids=lambda kind: kind.__name__)
def test_every_leaf_says_what_to_do_now(kind: type[GatewayError]) -> None:
    assert kind.hint[:1].isupper()
    assert kind.hint.endswith(".")


def test_only_the_caller_s_mistakes_are_blamed_on_the_caller() -> None:
    for kind in _leaves():
        assert issubclass(kind, CallerError) is (kind.source is Source.CALLER)
        assert issubclass(kind, CallerError) <= (400 <= kind.status < 500)


def test_an_error_keeps_what_it_is_told() -> None:
    error = BadRequest("`n` must be a whole number.", param="n", hint="Send 1.", status=422, retry_after=2.5)

    assert ("`n` must be a whole number.", "n") == (str(error), error.param)
    assert ("Send 1.", 422, 2.5) == (error.hint, error.status, error.retry_after)


def test_an_error_told_nothing_more_is_like_its_kind() -> None:
    error = BadRequest("No.")

    assert (BadRequest.hint, BadRequest.status) == (error.hint, error.status)
    assert (None, None) == (error.param, error.retry_after)


@pytest.mark.parametrize("kind", Break)
def test_a_break_reads_as_words(kind: Break) -> None:
    assert kind.value == str(Broken(kind))
    assert f"{kind.value}: at 10 %" == str(Broken(kind, "at 10 %"))
    assert kind is Broken(kind).kind
