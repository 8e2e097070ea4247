"""All scenarios that the other system is tested by, or should be, each with what we do."""

from __future__ import annotations

from typing import Final

from tests.parity.choosing import CHOOSING
from tests.parity.row import Row
from tests.parity.surviving import SURVIVING
from tests.parity.untested import ELSEWHERE, UNTESTED

__all__ = ["SCENARIOS"]

SCENARIOS: Final[tuple[Row, ...]] = (*SURVIVING, *CHOOSING, *UNTESTED, *ELSEWHERE)
