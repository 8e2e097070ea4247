"""Virtual time, as for the engine; and what a play asserts is shown as what a test asserts is."""

from __future__ import annotations

import pytest

from tests.engine.conftest import anyio_backend, clock

__all__ = ["anyio_backend", "clock"]

pytest.register_assert_rewrite("tests.parity.plays")
