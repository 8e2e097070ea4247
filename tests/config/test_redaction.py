"""What is hidden of a file when its lines are shown."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.config.redaction import MASK, redact, redact_broken
from satisfice.config.spans import KeyPath, locate


def test_a_hidden_value_is_masked_and_all_else_keeps_its_column() -> None:
    text = '{ key = "sk-123", name = "a" }\n'

    assert [f'table = {{ key = {MASK}     , name = "a" }}', ""] == _redact(f"table = {text}")


def test_a_mask_at_the_end_of_a_line_does_not_tell_how_long_the_secret_is() -> None:
    assert [f"key = {MASK}"] == _redact('key = "sk-1"') == _redact(f'key = "{"x" * 50}"')


def test_a_secret_of_several_lines_is_hidden_in_each() -> None:
    assert [f"key = {MASK}", "", "name = 1"] == _redact('key = """sk-1\nsk-2"""\nname = 1')


def test_a_secret_in_a_list_or_a_number_is_hidden() -> None:
    assert [f"key = [{MASK}  , 1, {MASK}]"] == _redact('key = ["sk1", 1, 234]')


def test_comments_are_left_out() -> None:
    """They may hold yesterday's key."""
    assert ["name = 1", "", "[table]"] == _redact("name = 1 # sk-1\n# sk-2\n[table] # sk-3")


@given(st.text(alphabet="ab\"\\'# =\n[]", min_size=4))
def test_no_secret_survives_whatever_is_in_it(secret: str) -> None:
    written = secret.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    text = f'list = [{{ key = "{written}" }}, {{ name = "a" }}]\nkey = """{written}"""\n'

    assert [f'list = [{{ key = {MASK}{" " * (len(written) - 1)} }}, {{ name = "a" }}]', f"key = {MASK}", ""] == (
        _redact(text)
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("port = 80 80", "port = 80 80"),
        ("port: 8402", "port: 8402"),
        ("[server", "[server"),
        ("[[providers.models]", "[[providers.models]"),
        ('ca_file = "C:\\my\\ca.pem', 'ca_file = "C:\\my\\ca.pem'),
        ("key = sk-1", "key = …"),
        ('key = "sk-1', "key = …"),
        ("  api_key: sk-1", "  api_key: …"),
        ('"key":"sk-1"', '"key": …'),
        ("'key' = 'sk-1", "'key' = …"),
        ("{ port = 1, key = sk-1 }", "{ port = 1, key = …"),
        ("sk-live-12345", "…"),
        ("correcthorsebatterystaple", "…"),
        ("[server] sk-live-12345", "[server] …"),
        ("port = sk-live-12345", "port = …"),
        ('["sk-live-12345", "sk"]', '["…            ", "sk"]'),
        ('sk-live-12345"""port = 1', '…            """port = 1'),
        ("hello world", "hello world"),
        ("port = 1 # sk-1", "port = 1"),
    ],
)
def test_of_a_broken_text_only_the_harmless_is_shown(line: str, shown: str) -> None:
    assert [shown] == redact_broken(line, {"port", "ca_file"})


def _redact(text: str) -> list[str]:
    return redact(locate(text), tomllib.loads(text), hides=_hides)


def _hides(path: KeyPath, value: object) -> bool:
    return "key" in path and value != 1
