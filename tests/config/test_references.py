"""What a file of settings leads to outside of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from satisfice.config.problems import Code, Unfit
from satisfice.config.references import Around, Certificates, Sealed, check_token, is_reference, key_variable
from satisfice.core.secrets import Secret

_TOKEN = Sealed("a secret", check_token, lambda value: value.startswith("plain"))
_CANARY = "sk-canary-0123456789"


def test_a_variable_a_file_and_the_file_of_settings_itself_can_hold_a_secret(tmp_path: Path) -> None:
    _write(tmp_path / "a.key", f"{_CANARY}\n")
    around = Around({"A_KEY": _CANARY}, tmp_path)

    fetched = [_TOKEN.fetch(value, around) for value in ("env:A_KEY", "file:a.key", f"file:{tmp_path}/a.key", _CANARY)]

    assert [Secret(_CANARY)] * 4 == fetched


def test_a_path_may_begin_at_home(tmp_path: Path) -> None:
    _write(tmp_path / "a.key", _CANARY)

    assert Secret(_CANARY) == _TOKEN.fetch("file:~/a.key", Around({"HOME": str(tmp_path)}, Path("/nowhere")))
    assert Path("/base/~/a.key") == Around({}, Path("/base")).path("~/a.key")


@pytest.mark.parametrize("content", [f"{_CANARY}\r\n", f"{_CANARY}\n\n", _CANARY])
def test_the_line_break_after_a_key_is_no_part_of_it(tmp_path: Path, content: str) -> None:
    _write(tmp_path / "a.key", content)

    assert _CANARY == _TOKEN.fetch("file:a.key", Around({}, tmp_path)).reveal()


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("env:MISSING", Code.MISSING_VARIABLE),
        ("env:EMPTY", Code.MISSING_VARIABLE),
        ("env:", Code.BAD_REFERENCE),
        ("env:no-name", Code.BAD_REFERENCE),
        ("evn:A_KEY", Code.BAD_REFERENCE),
        ("ENV:A_KEY", Code.BAD_REFERENCE),
        ("$A_KEY", Code.BAD_REFERENCE),
        ("${A_KEY}", Code.BAD_REFERENCE),
        ("os.environ/A_KEY", Code.BAD_REFERENCE),
        ("{env:A_KEY}", Code.BAD_REFERENCE),
        ("<your key>", Code.BAD_REFERENCE),
        ("keyring:a", Code.BAD_REFERENCE),
        ("two words", Code.BAD_VALUE),
        ("env:BLANK", Code.BAD_VALUE),
        ("file:missing", Code.KEY_FILE),
        ("file:", Code.KEY_FILE),
        ("file:folder", Code.KEY_FILE),
        ("file:pipe", Code.KEY_FILE),
        ("file:empty", Code.KEY_FILE),
        ("file:binary", Code.KEY_FILE),
        ("file:large", Code.KEY_FILE),
        ("file:blank", Code.BAD_VALUE),
        ("file:group", Code.KEY_FILE_MODE),
        ("file:others", Code.KEY_FILE_MODE),
    ],
)
def test_a_reference_that_leads_nowhere_good_is_refused(tmp_path: Path, value: str, code: Code) -> None:
    """And a named pipe doesn't hold us up."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, content in {"empty": b"\n", "binary": b"\xff", "large": b"x" * 65_537, "blank": b"two words"}.items():
        _write(tmp_path / name, content)
    _write(tmp_path / "group", _CANARY, mode=0o640)
    _write(tmp_path / "others", _CANARY, mode=0o602)

    with pytest.raises(Unfit) as refused:
        _TOKEN.fetch(value, Around({"EMPTY": "", "BLANK": "two words"}, tmp_path))

    assert code == refused.value.code
    assert refused.value.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [("OPENAI_APIKEY", "did you mean OPENAI_API_KEY?"), ("XYZ", "set it, for example by `export XYZ=…`")],
)
def test_a_variable_that_is_not_set_may_have_been_misspelt(name: str, hint: str) -> None:
    with pytest.raises(Unfit) as refused:
        _TOKEN.fetch(f"env:{name}", Around({"OPENAI_API_KEY": _CANARY, "EMPTY": ""}, Path()))

    assert hint == refused.value.hint


def test_how_to_mend_the_mode_of_a_key_file_can_be_pasted(tmp_path: Path) -> None:
    path = tmp_path / "my key"
    _write(path, _CANARY, mode=0o644)

    with pytest.raises(Unfit) as refused:
        _TOKEN.fetch("file:my key", Around({}, tmp_path))

    assert ("is kept in a file that others may use (mode 644)", f"chmod 600 '{path}'") == (
        refused.value.why,
        refused.value.hint,
    )


@pytest.mark.parametrize("pasted", [_CANARY, f"env:{_CANARY}", "env:sk_live_0123456789abcdefgh", f"{_CANARY} "])
def test_no_message_repeats_a_key_that_stands_in_the_wrong_place(pasted: str) -> None:
    try:
        shown = repr(_TOKEN.fetch(pasted, Around({}, Path())))
    except Unfit as refused:
        shown = f"{refused.why} {refused.hint}"

    assert "0123456789" not in shown


@pytest.mark.parametrize(("value", "code"), [("", Code.BAD_VALUE), ("a\0b", Code.BAD_VALUE), (5, Code.BAD_TYPE)])
def test_what_can_not_be_a_reference_is_refused(value: object, code: Code) -> None:
    with pytest.raises(Unfit) as refused:
        _TOKEN.read(value)

    assert code == refused.value.code


def test_certificates_are_found_from_wherever_the_gateway_runs(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n…")

    assert str(tmp_path / "ca.pem") == Certificates().fetch("ca.pem", Around({}, tmp_path))


@pytest.mark.parametrize("name", ["missing.pem", "folder", "key.pem"])
def test_certificates_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n…")

    with pytest.raises(Unfit) as refused:
        Certificates().fetch(name, Around({}, tmp_path))

    assert Code.CA_FILE == refused.value.code


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        (_CANARY, True),
        (f"env:{_CANARY}", True),
        ("evn:A_KEY", True),
        ("env:A_KEY", False),
        ("file:a.key", False),
        ("keyring:a", False),
        ("plain", False),
        ("", False),
    ],
)
def test_all_but_a_reference_is_hidden(value: str, *, hidden: bool) -> None:
    assert hidden == _TOKEN.hides(value)
    assert value == "plain" or not value or hidden != is_reference(value)


def test_a_provider_s_key_has_a_variable_of_its_own() -> None:
    assert key_variable("my-server2") == "SATISFICE_MY_SERVER2_API_KEY"


def test_kinds_describe_themselves() -> None:
    assert ("a secret", {"type": "string", "minLength": 1}) == (_TOKEN.what, _TOKEN.schema())
    assert Certificates().what == "the path of a PEM file"


def _write(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
