"""What a file of settings leads to outside of it: environment variables, key files, certificates."""

from __future__ import annotations

import os
import re
import shlex
import stat
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from satisfice.catalog.model import near_misses
from satisfice.config.problems import Code, Unfit
from satisfice.config.values import Kind
from satisfice.core.secrets import Secret

__all__ = ["TOKEN", "Around", "Certificates", "Outside", "Sealed", "check_token", "is_reference", "key_variable"]


class Around(NamedTuple):
    """What a file of settings may lead to."""

    env: Mapping[str, str]
    base: Path
    """The folder that relative paths start from."""

    def path(self, written: str) -> Path:
        """A path as written in the file, where `~/` is the home of whoever the environment is of."""
        home = self.env.get("HOME")
        return Path(home, written[2:]) if home and written.startswith("~/") else self.base / written


class Outside(Kind):
    """A kind of value that leads out of the file."""

    def read(self, value: object) -> str:
        """As it is, for `fetch`."""
        if not isinstance(value, str):
            raise Unfit(code=Code.BAD_TYPE)
        if not value or "\0" in value:
            raise Unfit("is empty" if not value else "holds a zero byte", hint="name something, or drop the line")
        return value

    @abstractmethod
    def fetch(self, value: str, around: Around) -> object:
        """What it leads to, or `Unfit`."""

    def schema(self) -> Mapping[str, object]:
        """A string."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class Sealed(Outside):
    """A secret, or where it is kept."""

    form: str
    check: Callable[[str], None]
    """Raises `Unfit` unless the secret can be used, without a word of it."""
    is_plain: Callable[[str], bool]
    """Whether a value that isn't a reference holds nothing secret."""
    may_be_secret: ClassVar[bool] = True

    @property
    def what(self) -> str:
        """For people."""
        return self.form

    def fetch(self, value: str, around: Around) -> Secret:
        """The secret, from where it is kept."""
        reference = _REFERENCE.fullmatch(value)
        if reference is None:
            _refuse_other_notations(value)
            secret = value
        elif reference[1] == "env":
            secret = _variable(reference[2], around.env)
        elif reference[1] == "file":
            secret = _key_file(around.path(reference[2]))
        else:
            raise Unfit(
                "can't be taken from a keyring yet", hint='use "env:NAME" or "file:PATH"', code=Code.BAD_REFERENCE
            )
        self.check(secret)
        return Secret(secret)

    def hides(self, value: str) -> bool:
        """Whether this is the secret itself."""
        return bool(value) and not is_reference(value) and not self.is_plain(value)


class Certificates(Outside):
    """A file of certificates."""

    @property
    def what(self) -> str:
        """For people."""
        return "the path of a PEM file"

    def fetch(self, value: str, around: Around) -> str:
        """Its path, from wherever the gateway runs."""
        path = around.path(value)
        try:
            is_pem = b"-----BEGIN CERTIFICATE-----" in path.read_bytes()
        except OSError as error:
            raise Unfit(f"can't be read: {_reason(error)}", hint=_correct(path), code=Code.CA_FILE) from None
        if not is_pem:
            raise Unfit("holds no certificate in PEM form", hint="convert it with openssl x509", code=Code.CA_FILE)
        return str(path.absolute())


def is_reference(value: str) -> bool:
    """Does this text only say where a secret is kept?"""
    reference = _REFERENCE.fullmatch(value)
    return reference is not None and (reference[1] != "env" or _VARIABLE.fullmatch(reference[2]) is not None)


def key_variable(provider: str) -> str:
    """The environment variable that a provider's key is taken from when the file doesn't say."""
    return f"SATISFICE_{provider.upper().replace('-', '_')}_API_KEY"


def check_token(token: str) -> None:
    """Raise `Unfit` unless this can stand in an `Authorization` field, without a word of it."""
    if not re.fullmatch(r"[!-~]+", token):
        raise Unfit("must be printable ASCII without spaces", hint="look for quotes, blanks or line breaks around it")


TOKEN: Final = Sealed('a secret, written "env:NAME" or "file:PATH"', check_token, lambda _: False)
"""A key or a token, any text of which is secret."""
_REFERENCE: Final = re.compile(r"(env|file|keyring):(.*)", re.DOTALL)
# Not what looks like a key that somebody put there instead of a name, so that no message repeats it.
_VARIABLE: Final = re.compile(r"(?!(?=.*[a-z])(?=.*\d).{20})[A-Za-z_][A-Za-z0-9_]*")
# How other programs name variables: the shell, LiteLLM, opencode; and a place holder nobody filled in.
_OTHER_NOTATIONS: Final = re.compile(r"\$\{?[A-Z_][A-Z0-9_]*\}?|os\.environ.*|\{+(?:env|file).*\}+|<.*>", re.DOTALL)
_LARGEST: Final = 65_536


def _refuse_other_notations(value: str) -> None:
    prefix = value.partition(":")[0]
    if prefix != value and (meant := near_misses(prefix, ("env", "file", "keyring"))):
        raise Unfit(f"begins with `{prefix}:`", hint=f"did you mean `{meant[0]}:`?", code=Code.BAD_REFERENCE)
    if _OTHER_NOTATIONS.fullmatch(value):
        raise Unfit(
            "is in a notation of other programs", hint='write "env:NAME" or "file:PATH"', code=Code.BAD_REFERENCE
        )


def _variable(name: str, env: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise Unfit('must have the name of a variable after "env:"', hint='write "env:NAME"', code=Code.BAD_REFERENCE)
    value = env.get(name, "").strip("\r\n")
    if value:
        return value
    meant = near_misses(name, (each for each in env if env[each] and each != name), limit=1)
    raise Unfit(
        f"needs the environment variable {name}, which is {'empty' if name in env else 'not set'}",
        hint=f"did you mean {meant[0]}?" if meant else f"set it, for example by `export {name}=…`",
        code=Code.MISSING_VARIABLE,
    )


def _key_file(path: Path) -> str:
    # Not blocking, so that a named pipe can't hold us; and what is checked is what is read.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _unreadable(_reason(error), path) from None
    try:
        _check_access(os.fstat(descriptor), path)
        content = os.read(descriptor, _LARGEST + 1)
    finally:
        os.close(descriptor)
    try:
        secret = content.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise _unreadable("not a text", path) from None
    if not secret or len(content) > _LARGEST:
        raise _unreadable("too large" if secret else "empty", path)
    return secret


def _check_access(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable("not a regular file", path)
    mode = stat.S_IMODE(status.st_mode)
    if os.name == "posix" and mode & 0o077:
        raise Unfit(
            f"is kept in a file that others may use (mode {mode:03o})",
            hint=f"chmod 600 {shlex.quote(str(path))}",
            code=Code.KEY_FILE_MODE,
        )


def _unreadable(reason: str, path: Path) -> Unfit:
    return Unfit(f"can't be read from its file: {reason}", hint=_correct(path), code=Code.KEY_FILE)


def _correct(path: Path) -> str:
    return f"correct the path, or the file {path}"


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
