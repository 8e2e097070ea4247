"""Which test file is a module's twin, and which of the two is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tests.shape.source import Finding

__all__ = ["mirror"]


def mirror(modules: Iterable[str], tests: Iterable[str]) -> Iterator[Finding]:
    """Modules without a test of their name, and tests of a name that no module has.

    `modules` are paths below the package, `tests` paths below `tests`. A folder of tests that isn't named for a
    package (`e2e`, `contract`) mirrors nothing and is left alone.
    """
    twins = {_twin(module): module for module in map(PurePosixPath, modules) if not module.stem.endswith("__")}
    found = {test for test in map(PurePosixPath, tests) if test.name.startswith("test_")}
    packages = {twin.parent for twin in twins}
    for twin in sorted(twins.keys() - found):
        yield Finding(str(twins[twin]), f"has no tests/{twin}")
    for test in sorted(found - twins.keys()):
        if test.parent in packages:
            yield Finding(f"tests/{test}", "tests no module of its name")


def _twin(module: PurePosixPath) -> PurePosixPath:
    return module.with_name(f"test_{module.name}")
