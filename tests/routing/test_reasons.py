"""What is said of offers that are not candidates."""

from __future__ import annotations

from satisfice.routing.reasons import Exclusion, Reason
from tests.build import an_offer


def test_exclusions_are_values() -> None:
    """They are shared by all calls that exclude the offer so, and compared in tests."""
    first = Exclusion(an_offer("a"), Reason("region", "its region is not known"))
    second = Exclusion(an_offer("a"), Reason("region", "its region is not known"))

    assert first == second
    assert first != second._replace(reason=Reason("context", "its context window is not known"))
