"""Exit codes, and failures that carry them."""

from __future__ import annotations

import io

import click
import pytest

from satisfice.cli.exits import Exit, Failure, Misconfigured, Unreachable


@pytest.mark.parametrize(("kind", "code"), [(Failure, 1), (Misconfigured, 3), (Unreachable, 4)])
def test_each_kind_of_failure_has_its_exit_code(kind: type[Failure], code: int) -> None:
    assert code == kind("It went wrong.").exit_code


def test_a_usage_error_is_what_click_takes_it_for() -> None:
    assert click.UsageError.exit_code == Exit.USAGE


def test_a_failure_says_what_to_do() -> None:
    shown = io.StringIO()

    Failure("The port is taken.", hint="satisfice serve --port 1\nsatisfice serve --port 2").show(shown)

    assert (
        "error: The port is taken.\n hint: satisfice serve --port 1\n       satisfice serve --port 2\n"
    ) == shown.getvalue()
