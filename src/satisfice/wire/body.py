"""A JSON object kept losslessly: read a few keys, replace a few, leave every other value as it came, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import Final, TypeVar

import msgspec

from satisfice.core.errors import BadRequest

__all__ = ["MAX_DEPTH", "Body", "leniently"]

MAX_DEPTH: Final = 64
"""Levels of arrays and objects; more is refused, since not every reader behind us survives it."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_T = TypeVar("_T")
_LONE: Final = len(rb"\ud83d")
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
"""An escape that is whole: a pair of surrogates, a lone one, or the start of any other."""
_EVERY_BYTE: Final = frozenset(range(256))
_ALL_BUT_BRACKETS: Final = bytes(_EVERY_BYTE - set(b"[]{}"))
_ALL_BUT_STRUCTURE: Final = bytes(_EVERY_BYTE - set(b'[]{}"\\/bfnrtu'))
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


class Body:
    """A JSON object as it came, its values unread until asked for.

    Values keep their bytes: the text of numbers, escapes, inner whitespace,
    the order of keys. Only what stands between the members is written anew,
    so that of a key given twice one reader can't see the first and another
    the last: the last counts, here and upstream.
    """

    __slots__ = ("_members", "get", "size")

    def __init__(self, raw: bytes) -> None:
        """Parse, or raise `BadRequest` that says what is wrong and where."""
        self.size: Final = len(raw)
        """Bytes of the text it came as."""
        try:
            if not raw.isascii():
                raw.decode()
            self._members = leniently(_members, raw)
        except UnicodeDecodeError as e:
            raise BadRequest(
                f"The body is not valid UTF-8 at byte {e.start}.", hint="Encode the JSON text as UTF-8."
            ) from None
        except msgspec.ValidationError:
            raise BadRequest("The body is not a JSON object.", hint="Send an object: {…}.") from None
        except RecursionError:
            raise _too_deep() from None
        except msgspec.DecodeError as e:
            reason = str(e).removeprefix("JSON is malformed: ")
            raise BadRequest(f"The body is not JSON: {reason}.", hint="Check the JSON text; is it cut off?") from None
        # Fewer brackets than levels allowed is the usual case and proves it in a third of a microsecond per KB.
        if len(raw.translate(None, _ALL_BUT_BRACKETS)) > 2 * MAX_DEPTH and _depth(raw) > MAX_DEPTH:
            raise _too_deep()
        self.get: Final[Callable[[str], msgspec.Raw | None]] = self._members.get
        """The value's own bytes, or None if there is no such key."""

    def lacks(self, keys: AbstractSet[str]) -> bool:
        """It has none of these keys."""
        return keys.isdisjoint(self._members)

    def encode(self, changes: Mapping[str, bytes] | None = None) -> bytes:
        """The object as JSON, with these values (JSON texts) in place of the old ones; new keys go to the end."""
        if not changes:
            return _encode(self._members)
        return _encode(self._members | {key: msgspec.Raw(value) for key, value in changes.items()})


def leniently(decode: Callable[[bytes], _T], text: bytes) -> _T:
    """Decode a JSON text, with U+FFFD in place of lone surrogate escapes if it can't be decoded with them.

    They are well-formed JSON (RFC 8259 section 8.2) and JavaScript writes them
    when a text is cut inside an emoji, but msgspec refuses them.
    """
    try:
        return decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mended = _ESCAPE.sub(lambda match: rb"\ufffd" if len(match[0]) == _LONE else match[0], text)
        if mended == text:
            raise
        return decode(mended)


def _too_deep() -> BadRequest:
    return BadRequest(f"The body is nested more than {MAX_DEPTH} levels deep.", hint="Flatten the JSON.")


def _depth(valid: bytes) -> int:
    """The levels of a valid JSON text with a bracket in it, by whole-text operations, which run at the speed of C."""
    # The letters that can follow a backslash stay until the escapes are out, or `\n"` would end up as `\"`.
    marks = valid.translate(None, _ALL_BUT_STRUCTURE).replace(rb"\\", b"").replace(rb"\"", b"")
    outside_strings = b"".join(marks.split(b'"')[::2])
    steps = outside_strings.translate(_STEPS, _ALL_BUT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")))
