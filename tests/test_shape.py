"""The shape of the code: bounds on size, an honest public surface, a test beside each module.

The rules are in tests/shape, one function each; every exception to them is in tests/shape/allowed.py. What ruff can
check (docstrings, complexity, banned calls, `print`, `global`, the order of `__all__`) is in pyproject.toml instead.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.shape.allowed import ALLOWED
from tests.shape.bounds import deep_nesting, long_file, long_function, many_parameters, many_positions
from tests.shape.habits import broad_except, catch_all_parameter, module_state, unexplained_waiver, wrong_all
from tests.shape.mirror import mirror
from tests.shape.source import ROOT, Finding, Rule, sources

_EVERYWHERE = (long_file, long_function, many_parameters, deep_nesting, unexplained_waiver)
_IN_THE_PROGRAM = (many_positions, broad_except, catch_all_parameter, module_state, wrong_all)


@pytest.mark.parametrize("rule", _EVERYWHERE, ids=lambda rule: rule.__name__)
def test_all_code_keeps(rule: Rule) -> None:
    _check(rule.__name__, _findings(rule, "src", "bench", "tests", "docs"))


@pytest.mark.parametrize("rule", _IN_THE_PROGRAM, ids=lambda rule: rule.__name__)
def test_the_program_keeps(rule: Rule) -> None:
    _check(rule.__name__, _findings(rule, "src"))


def test_each_module_has_its_test_and_each_test_its_module() -> None:
    _check("mirror", mirror(modules=_paths("src/satisfice"), tests=_paths("tests")))


def test_every_exception_is_to_a_rule_that_exists() -> None:
    rules = {rule.__name__ for rule in (*_EVERYWHERE, *_IN_THE_PROGRAM, mirror)}

    assert set() == ALLOWED.keys() - rules


def _check(rule: str, findings: Iterable[Finding]) -> None:
    """Nothing is found that isn't allowed, and nothing is allowed that isn't found any more."""
    found = {finding.where: finding.what for finding in findings}
    allowed = ALLOWED.get(rule, {})
    broken = [f"{where}: {what}" for where, what in found.items() if where not in allowed]
    stale = [f"{where}: allowed in tests/shape/allowed.py without need" for where in allowed if where not in found]
    if broken or stale:
        pytest.fail("\n".join(broken + stale), pytrace=False)


def _findings(rule: Rule, *folders: str) -> Iterable[Finding]:
    return (finding for source in sources(*folders) for finding in rule(source))


def _paths(folder: str) -> list[str]:
    return [path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob("*.py")]
