"""Simulations tell what they came to at the end of the run, whether they pass or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

__all__ = ["Show", "pytest_terminal_summary", "show"]

Show = Callable[[str], None]
"""Takes a table."""

_TABLES: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest.fixture(scope="session")
def show(pytestconfig: pytest.Config) -> Show:
    """Shows a table when all tests are over."""
    return pytestconfig.stash.setdefault(_TABLES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what there is to show."""
    for table in config.stash.get(_TABLES, []):
        terminalreporter.write_line("")
        terminalreporter.write_line(table)
