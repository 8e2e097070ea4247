"""From a file and the environment to settings, or to a list of problems."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from traceback import TracebackException
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from satisfice.config.load import default_config, find, load, places, read
from satisfice.config.problems import Code, as_json, render, summary
from satisfice.core.secrets import Secret

_CORPUS = sorted((Path(__file__).parents[1] / "corpus" / "config").glob("*.test"))
_ENV = {"OPENAI_API_KEY": "sk-from-env", "A_KEY": "sk-a", "EMPTY_KEY": "", "BLANK_KEY": "two words"}
_PROVIDER = '[[providers]]\nname = "a"\nurl = "https://a.example/v1"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of the corpus are kept."""
    _write(tmp_path / "open.key", b"sk-from-file\n", mode=0o644)
    _write(tmp_path / "empty.key", b"\n")
    _write(tmp_path / "binary.key", b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("case", _CORPUS, ids=lambda case: case.stem)
def test_a_mistake_is_reported_as_the_corpus_says(case: Path, folder: Path) -> None:
    """Each file has a broken file of settings above a line of dashes, and below it the whole report."""
    text, _, expected = case.read_text().partition("----------\n")
    problems = load(text, file="satisfice.toml", env=_ENV, base=folder).problems

    report = "\n\n".join([*map(render, problems), summary(problems)]).replace(str(folder), "/etc/satisfice")
    assert expected == f"{report}\n"


@pytest.mark.parametrize("case", _CORPUS, ids=lambda case: case.stem)
def test_a_problem_has_a_line_a_code_and_a_way_out(case: Path, folder: Path) -> None:
    text = case.read_text().partition("----------\n")[0]
    for problem in load(text, file="satisfice.toml", env=_ENV, base=folder).problems:
        head, *rest = render(problem).splitlines()
        assert head.startswith(f"satisfice.toml:{problem.line}:{problem.column}: {problem.severity.value}[")
        assert problem.line >= 1
        assert problem.hint
        assert len(rest) <= 5


def test_the_corpus_shows_every_kind_of_problem_that_a_text_can_have() -> None:
    reports = "".join(case.read_text() for case in _CORPUS)

    assert {Code.ENCODING, Code.UNREADABLE} == {code for code in Code if f"[{code.label}]: " not in reports}


def test_an_empty_file_is_all_defaults() -> None:
    assert default_config() == load("", file="file.toml", env={}, base=Path()).config


def test_errors_leave_no_settings_and_warnings_do() -> None:
    warned = load(f'{_PROVIDER}key = "sk-1"', file="file.toml", env={}, base=Path())
    failed = load("prot = 1", file="file.toml", env={}, base=Path())

    assert (True, [Code.LITERAL_SECRET]) == (warned.config is not None, [found.code for found in warned.problems])
    assert (None, [Code.UNKNOWN_KEY]) == (failed.config, [found.code for found in failed.problems])


def test_a_file_may_be_written_on_another_system() -> None:
    loaded = load("\ufeff[server]\r\nport = 80\r\nprot = 1\r\n", file="file.toml", env={}, base=Path())

    assert [(3, 1, "prot = 1")] == [(found.line, found.column, found.source_line) for found in loaded.problems]


def test_a_number_beyond_any_number_is_a_bad_value() -> None:
    loaded = load(f"[routing]\nretry_ratio = 1e{'9' * 30}", file="file.toml", env={}, base=Path())

    assert [Code.BAD_VALUE] == [found.code for found in loaded.problems]


@pytest.mark.parametrize("text", [f"a = {'[' * 5_000}", f"a = {'9' * 5_000}"])
def test_a_file_that_breaks_the_parser_is_reported(text: str) -> None:
    assert [Code.SYNTAX] == [found.code for found in load(text, file="file.toml", env={}, base=Path()).problems]


@given(st.text(alphabet=st.sampled_from("ab[]{}=.,\"'#\n\\ 1:é")))
def test_any_text_at_all_is_reported_or_read(text: str) -> None:
    loaded = load(text, file="file.toml", env={}, base=Path())

    assert (loaded.config is None) == any(found.code is not Code.LITERAL_SECRET for found in loaded.problems)
    assert all(render(found) and as_json(found) for found in loaded.problems)


def test_a_file_is_read_and_paths_in_it_start_from_its_folder(tmp_path: Path) -> None:
    _write(tmp_path / "a.key", b"sk-1\n")
    (tmp_path / "satisfice.toml").write_text(f'{_PROVIDER}key = "file:a.key"\nprot = 1')

    loaded = read(tmp_path / "satisfice.toml", {})

    assert [(str(tmp_path / "satisfice.toml"), Code.UNKNOWN_KEY)] == [
        (each.file, each.code) for each in loaded.problems
    ]


@pytest.mark.parametrize("name", ["missing.toml", "folder"])
def test_a_file_that_can_not_be_read_is_a_problem(folder: Path, name: str) -> None:
    problems = read(folder / name, {}).problems

    assert [(0, Code.UNREADABLE)] == [(each.line, each.code) for each in problems]
    assert f"{folder / name}: error[unreadable]: " in render(problems[0])


@pytest.mark.parametrize(
    ("content", "place", "line", "hint"),
    [
        (b"[server]\nhost = 'a' # caf\xe9", (2, 17), "host = 'a'", "save it as UTF-8"),
        ("é = '".encode() + b"\xff'", (1, 6), "", "save it as UTF-8"),
        ("[server]".encode("utf-16"), (1, 1), "", "save it as UTF-8, not as UTF-16"),
    ],
)
def test_a_file_that_is_not_utf_8_is_a_problem_where_it_is_not(
    tmp_path: Path, content: bytes, place: tuple[int, int], line: str, hint: str
) -> None:
    (tmp_path / "file.toml").write_bytes(content)

    (problem,) = read(tmp_path / "file.toml", {}).problems

    assert (Code.ENCODING, place, hint) == (problem.code, (problem.line, problem.column), problem.hint)
    assert problem.source_line.startswith(line)


class TestSecrets:
    """Canaries in every place where a secret can be never come out."""

    canary = "c4n4ry-0123456789"
    env: ClassVar = {
        "CANARY": f"env-{canary}",
        "OTHER": f"other-{canary}",
        "PROXY": f"socks5h://me:env-{canary}@127.0.0.1:9050",
    }
    text = f"""
        [server]
        access_token = "literal-{canary}" # comment-{canary}
        [[providers]]
        name = "a"
        url = "https://a.example/v1"
        key = "file:canary.key"
        proxy = "http://me:literal-{canary}@127.0.0.1:3128"
        [[providers]]
        name = "b"
        url = "https://b.example/v1"
        key = "env:CANARY"
        proxy = "env:PROXY"
        [[keys]]
        name = "laptop"
        key = "literal-2-{canary}"
        [[keys]]
        name = "phone"
        key = "env:OTHER"
        [[providers]]
        name = "c"
        url = "https://c.example/v1"
    """

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        _write(tmp_path / "canary.key", f"file-{self.canary}\n".encode())
        return tmp_path

    def test_settings_with_secrets_do_not_show_them(self, base: Path) -> None:
        config = load(self.text, file="file.toml", env=self.env, base=base).config

        assert config is not None
        assert Secret(f"file-{self.canary}") == config.providers[0].endpoint.key
        assert [Secret(f"literal-2-{self.canary}"), Secret(f"other-{self.canary}")] == [
            each.key for each in config.keys
        ]
        assert self.canary not in f"{config!r} {config} {config.providers[1].endpoint.proxy}"

    def test_a_traceback_with_all_its_locals_does_not_show_them(self, base: Path) -> None:
        loaded = load(self.text, file="file.toml", env=self.env, base=base)

        shown = "".join(_traceback_of(loaded.config).format())

        assert "providers=(ProviderConfig(" in shown
        assert self.canary not in shown

    @pytest.mark.parametrize(
        "mistake",
        [
            "",
            "prot = 1",
            "key = 1",
            "unknown = 'mistake-{canary}'",
            "key = 'two mistake-{canary}'",
            "key = 'env:mistake-{canary}'",
            "key = ['mistake-{canary}']",
            "key = {{ value = 'mistake-{canary}' }}",
            "proxy = 'ftp://me:mistake-{canary}@a.example'",
            "url2 = 'https://me:mistake-{canary}@a.example'",
            "ca_file = 1 # mistake-{canary}",
            "key = mistake-{canary}",
            "key = 'mistake-{canary}",
            "mistake-{canary}",
            "models = [{{ key = 'mistake-{canary}' }}]",
            "models = [{{ key = 'mistake-{canary}",
            "[[keys]]\nname = 'a'\nkey = 'literal-{canary}'",
            "[[keys]]\nname = 'a'\nkey = ['mistake-{canary}']",
            "[[keys]]\nkey = 'mistake-{canary}",
            "[[keys]]\nlaptop = 'mistake-{canary}'",
            "[[policies]]\nname = 'a'\nweights = {{ b = 'mistake-{canary}' }}",
        ],
    )
    def test_no_report_shows_them_whatever_is_wrong(
        self, base: Path, mistake: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = self.text + mistake.format(canary=self.canary)
        with caplog.at_level(logging.DEBUG):
            loaded = load(text, file="file.toml", env=self.env, base=base)

        reports = [*map(render, loaded.problems), *map(json.dumps, map(as_json, loaded.problems))]
        assert reports
        assert self.canary not in f"{reports} {loaded!r} {loaded.problems} {caplog.text}"

    @pytest.mark.parametrize(
        "keys",
        [
            "keys = 'horse-canary'",
            "keys = ['horse-canary']",
            "keys = [{ value = 'horse-canary' }]",
            "[keys]\nlaptop = 'horse-canary'",
            "[keys.laptop]\nvalue = 'horse-canary'",
            "keys = 'horse-canary",
            "keys = [horse-canary]",
            "keys: horse-canary",
        ],
    )
    def test_what_stands_instead_of_a_table_of_keys_may_be_a_key(self, keys: str) -> None:
        """And need not look like one."""
        problems = load(keys, file="file.toml", env={}, base=Path()).problems

        assert problems
        assert "horse" not in "\n".join(map(render, problems))

    @pytest.mark.parametrize("slip", ["", "\n", '"', "'", "[", "{", "=", "#", "@", ":", " "])
    def test_no_slip_of_the_pen_brings_them_out(self, base: Path, slip: str) -> None:
        """One character left out or put in, anywhere: most of such files aren't even TOML."""
        for at in range(len(self.text)):
            text = self.text[:at] + slip + self.text[at + (not slip) :]
            problems = load(text, file="file.toml", env=self.env, base=base).problems
            shown = [text for found in problems for text in (render(found), found.source_line)]
            assert self.canary not in "\n".join(shown), f"{at}: {shown}"


class TestFinding:
    """Which file holds when none is named."""

    def test_places_are_in_the_order_of_the_conventions(self) -> None:
        env = {"SATISFICE_CONFIG": "own.toml", "HOME": "/home/me", "XDG_CONFIG_HOME": "/xdg"}

        assert (
            Path("/home/me/own.toml"),
            Path("/home/me/satisfice.toml"),
            Path("/xdg/satisfice/config.toml"),
            Path("/etc/satisfice/config.toml"),
        ) == places(env, Path("/home/me"))

    @pytest.mark.parametrize("xdg", ["", "relative"])
    def test_a_configuration_folder_that_is_not_absolute_is_the_usual_one(self, xdg: str) -> None:
        env = {"HOME": "/home/me", "XDG_CONFIG_HOME": xdg}

        assert Path("/home/me/.config/satisfice/config.toml") == places(env, Path("/home/me"))[1]

    def test_without_a_home_there_is_the_folder_and_the_system(self) -> None:
        assert (Path("/home/me/satisfice.toml"), Path("/etc/satisfice/config.toml")) == places({}, Path("/home/me"))

    def test_the_first_that_exists_holds(self, tmp_path: Path) -> None:
        env = {"HOME": str(tmp_path)}
        user = tmp_path / ".config" / "satisfice" / "config.toml"
        user.parent.mkdir(parents=True)
        user.touch()
        before = find(env, tmp_path)
        (tmp_path / "satisfice.toml").touch()

        assert (user, tmp_path / "satisfice.toml") == (before, find(env, tmp_path))

    def test_a_file_that_is_asked_for_holds_even_if_it_is_missing(self, tmp_path: Path) -> None:
        """So that a slip in its name is reported, and not another file used."""
        (tmp_path / "satisfice.toml").touch()

        assert tmp_path / "own.toml" == find({"SATISFICE_CONFIG": "own.toml"}, tmp_path)


def _write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def _traceback_of(config: object) -> TracebackException:
    try:
        raise RuntimeError
    except RuntimeError as error:
        assert config
        return TracebackException.from_exception(error, capture_locals=True)
