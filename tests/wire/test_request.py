"""What is common to all dialects."""

from __future__ import annotations

import pytest
from msgspec import structs

from satisfice.core.amounts import Usage
from satisfice.wire.openai_chat import OpenAIChat
from satisfice.wire.request import Dialect, Frame, FrameKind, Reading
from tests.build import a_request


def test_a_reading_says_nothing_unless_told() -> None:
    assert (None, None, b"", None) == structs.astuple(Reading())


def test_a_frame_is_not_the_last_unless_told() -> None:
    assert (FrameKind.OUTPUT, None, False) == Frame(FrameKind.OUTPUT)


def test_a_request_can_not_be_changed() -> None:
    """Attempts run beside each other and read the same one."""
    with pytest.raises(AttributeError):
        a_request().model = "other"  # type: ignore[misc]  # that it can't be is the test


def test_a_reading_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Reading(Usage()).usage = None  # type: ignore[misc]  # that it can't be is the test


@pytest.mark.parametrize("dialect", [OpenAIChat()], ids=lambda dialect: dialect.name)
def test_a_dialect_has_two_markers_to_look_for_and_a_path_to_append(dialect: Dialect) -> None:
    usage, end = dialect.markers

    assert usage != end
    assert min(len(usage), len(end)) > 3
    assert dialect.path.startswith("/")
