"""What every test gets: one seed for the run, uvloop under async tests, and no socket below the ports."""

from __future__ import annotations

import os
import socket
from inspect import iscoroutinefunction
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

__all__ = ["anyio_backend"]

_TESTS = Path(__file__).parent
_PURE = ("core", "wire", "catalog", "health", "routing", "attempt")

settings.register_profile("fast", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "fast")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Async tests run on the loop that serves in production."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture(autouse=True)
def _no_io_below_ports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lower half is pure: a test of it that needs a socket or an event loop tests the wrong thing."""
    if request.path.relative_to(_TESTS).parts[0] in _PURE:
        if iscoroutinefunction(request.function):
            pytest.fail("the lower half awaits nothing: see docs/design.md")
        monkeypatch.setattr(socket, "socket", _refuse_socket)


def _refuse_socket(*_args: object, **_options: object) -> NoReturn:
    pytest.fail("the lower half opens no socket: see docs/design.md")
