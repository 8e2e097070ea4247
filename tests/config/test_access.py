"""Who may come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from satisfice.config.load import load
from satisfice.config.problems import Code

_ENV = {"TOKEN": "sk-canary-0", "OTHER": "sk-canary-1", "SAME": "sk-canary-0"}
_KEY = '[[keys]]\nname = "laptop"\nkey = "env:TOKEN"\n'


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ('host = "0.0.0.0"', [Code.OPEN_TO_NETWORK]),
        ('host = "gateway.example"', [Code.OPEN_TO_NETWORK]),
        ('host = "0.0.0.0"\naccess_token = "env:TOKEN"', []),
        ('host = "0.0.0.0"\naccess_token = "env:MISSING"', [Code.MISSING_VARIABLE]),
        ('host = "0.0.0.0"\naccess_token = ""', [Code.BAD_VALUE]),
        ('host = "::1"', []),
        ('host = "localhost"', []),
    ],
)
def test_other_machines_need_a_token(settings: str, codes: list[Code]) -> None:
    assert codes == _codes(f"[server]\n{settings}")


def test_keys_will_do_for_a_token() -> None:
    assert [] == _codes(f'[server]\nhost = "0.0.0.0"\n{_KEY}')
    assert [Code.OPEN_TO_NETWORK] == _codes('keys = []\n[server]\nhost = "0.0.0.0"')


def test_callers_are_told_apart() -> None:
    assert [Code.DUPLICATE] == _codes(_KEY + _KEY.replace("TOKEN", "OTHER"))
    assert [] == _codes(_KEY + _KEY.replace("TOKEN", "OTHER").replace("laptop", "phone"))


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ('key = "env:TOKEN"', [Code.DUPLICATE]),
        ('key = "env:SAME"', [Code.DUPLICATE]),
        ('key = "sk-canary-0"', [Code.LITERAL_SECRET, Code.DUPLICATE]),
        ('key = "env:OTHER"', []),
        ('key = "env:MISSING"', [Code.MISSING_VARIABLE]),
    ],
)
@pytest.mark.parametrize("first", [_KEY, '[server]\naccess_token = "env:TOKEN"\n'])
def test_no_two_callers_have_the_same_key_however_it_is_written(first: str, text: str, codes: list[Code]) -> None:
    """Else it would be left to chance whose policy binds."""
    problems = load(f'{first}[[keys]]\nname = "phone"\n{text}', file="file.toml", env=_ENV, base=Path()).problems

    assert codes == [problem.code for problem in problems]
    assert "canary" not in str(problems)


def _codes(text: str) -> list[Code]:
    return [problem.code for problem in load(text, file="file.toml", env=_ENV, base=Path()).problems]
