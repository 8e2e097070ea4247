"""Why an offer is not a candidate."""

from __future__ import annotations

from typing import NamedTuple

from satisfice.catalog.offers import Offer

__all__ = ["Exclusion", "Reason"]


class Reason(NamedTuple):
    """Why an offer can't have a call."""

    code: str
    """Stable, in snake_case."""
    detail: str
    """For people."""


class Exclusion(NamedTuple):
    """An offer that does not qualify, and why."""

    offer: Offer
    reason: Reason
