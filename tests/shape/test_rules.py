"""Each rule of shape refuses what it is for, and lets pass what it must not refuse."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.shape.bounds import deep_nesting, long_file, long_function, many_parameters, many_positions
from tests.shape.habits import broad_except, catch_all_parameter, module_state, unexplained_waiver, wrong_all
from tests.shape.mirror import mirror
from tests.shape.source import Rule, read

_FOUR_DEEP = """
    def f():
        for a in b:
            with c:
                try:
                    if d: pass
                finally: pass
"""
_THREE_DEEP_WITH_ELIF = """
    def f():
        for a in b:
            with c:
                if d: pass
                elif e: pass
                elif f: pass
                else: pass
"""
_HELPER_INSIDE = """
    def f():
        for a in b:
            def g():
                for c in d:
                    with e:
                        if h: pass
"""

_BROKEN: tuple[tuple[Rule, str], ...] = (
    (long_file, "x = 1\n" * 501),
    (long_function, "def f():\n" + "    x()\n" * 60),
    (long_function, "class C:\n    async def f(self):\n" + "        x()\n" * 60),
    (many_parameters, "def f(a, b, *, c, d, e, g, h): ..."),
    (many_parameters, "class C:\n    def f(self, a, b, *, c, d, e, g, h): ..."),
    (many_positions, "def f(a, b, c): ..."),
    (many_positions, "class C:\n    def __init__(self, a, b, c): ..."),
    (deep_nesting, _FOUR_DEEP),
    (deep_nesting, "def f():\n  while a:\n    match b:\n      case 1:\n        if c:\n          if d: pass"),
    (broad_except, "def f():\n  try: x()\n  except Exception: pass"),
    (broad_except, "def f():\n  try: x()\n  except (OSError, BaseException) as error: print(error)"),
    (broad_except, "def f():\n  try: x()\n  except Exception as error: raise ValueError from error"),
    (broad_except, "def f():\n  with contextlib.suppress(Exception): x()"),
    (broad_except, "try: x()\nexcept: pass"),
    (catch_all_parameter, "def f(**kwargs): ..."),
    (module_state, "_seen = []"),
    (module_state, "_seen: Final = {}"),
    (module_state, "_seen: dict[str, int] = {}"),
    (module_state, "_seen: MutableMapping[str, int] = {}"),
    (module_state, "_queue = collections.deque(maxlen=3)"),
    (module_state, "_squares = {n: n * n for n in range(9)}"),
    (unexplained_waiver, "import os  # noqa"),
    (unexplained_waiver, "import os  # noqa: F401"),
    (unexplained_waiver, "x = y()  # type: ignore"),
    (unexplained_waiver, "x = y()  # type: ignore[attr-defined]"),
    (unexplained_waiver, "x = y()  # pragma: no cover"),
    (wrong_all, "def f(): ..."),
    (wrong_all, "__all__ = []\ndef f(): ..."),
    (wrong_all, "__all__ = []\nasync def f(): ..."),
    (wrong_all, "__all__ = []\nclass C: ..."),
    (wrong_all, "__all__ = []\nLIMIT: Final = 3"),
    (wrong_all, "__all__ = []\nMsat = NewType('Msat', int)"),
    (wrong_all, "__all__ = ['g']\nfrom h import g"),
)

_KEPT: tuple[tuple[Rule, str], ...] = (
    (long_file, "x = 1\n" * 500),
    (long_function, "def f():\n" + "    x()\n" * 59),
    (many_parameters, "class C:\n    def f(self, a, b, *, c, d, e, g): ..."),
    (many_positions, "class C:\n    @classmethod\n    def f(cls, a, b, *, c): ..."),
    (many_positions, "class C:\n    def __exit__(self, kind, error, trace): ..."),
    (deep_nesting, _THREE_DEEP_WITH_ELIF),
    (deep_nesting, _HELPER_INSIDE),
    (broad_except, "def f():\n  try: x()\n  except BaseException:\n    close()\n    raise"),
    (broad_except, "def f():\n  try: x()\n  except OSError: pass"),
    (catch_all_parameter, "def f(*names): g(**options)"),
    (module_state, "__all__ = ['A']\nA = (1, 2)\n_B = frozenset({3})"),
    (module_state, "_table: Final[Mapping[str, int]] = {'a': 1}"),
    (module_state, "def f():\n    seen = []"),
    (unexplained_waiver, "import os  # noqa: F401 - a test replaces it"),
    (unexplained_waiver, "x = y()  # type: ignore[attr-defined]  # the stub lacks it"),
    (unexplained_waiver, "text = '# noqa'"),
    (wrong_all, "__all__ = ['C', 'f']\nclass C: ...\ndef f(): ...\n_x = 1"),
)


@pytest.mark.parametrize(("rule", "snippet"), _BROKEN)
def test_what_breaks_a_rule_is_found(rule: Rule, snippet: str) -> None:
    assert [] != list(rule(read("module.py", dedent(snippet))))


@pytest.mark.parametrize(("rule", "snippet"), _KEPT)
def test_what_keeps_a_rule_is_not(rule: Rule, snippet: str) -> None:
    assert [] == list(rule(read("module.py", dedent(snippet))))


def test_a_finding_names_the_place_by_its_qualified_name() -> None:
    """The list of exceptions must not go stale when lines move."""
    source = read("src/a.py", "class C:\n    def f(self):\n        def g(**options): ...")

    assert ["src/a.py::C.f.g"] == [finding.where for finding in catch_all_parameter(source)]


def test_a_package_may_export_what_it_imports_and_a_bare_one_nothing() -> None:
    assert [] == list(wrong_all(read("a/__init__.py", "from a.b import f\n__all__ = ['f']")))
    assert [] == list(wrong_all(read("a/__init__.py", "'''Only a docstring.'''")))
    assert [] != list(wrong_all(read("a/__init__.py", "LIMIT = 3")))


def test_the_mirror_shows_the_module_without_a_test_and_the_test_without_a_module() -> None:
    modules = ["__init__.py", "cli/__main__.py", "core/clock.py", "core/errors.py", "ports.py"]
    tests = ["conftest.py", "core/test_clock.py", "core/test_time.py", "e2e/test_serve.py", "test_ports.py", "play.py"]

    assert {"core/errors.py", "tests/core/test_time.py"} == {finding.where for finding in mirror(modules, tests)}
