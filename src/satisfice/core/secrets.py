"""Values that must never be printed: keys, tokens, addresses with passwords in them."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, final

__all__ = ["Secret"]

_SHOWN: Final = 4
_LONG_ENOUGH: Final = 16


@final
class Secret:
    """A string that shows itself only to who calls `reveal`: printed it is a mask, and it can't be serialised."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap the value; the caller should then forget it."""
        self._value = value

    def reveal(self) -> str:
        """The value itself, to be put on the wire and nowhere else."""
        return self._value

    def mask(self) -> str:
        """The last four characters behind dots, if so much can be shown; enough to tell two keys apart."""
        return f"…{self._value[-_SHOWN:]}" if len(self._value) >= _LONG_ENOUGH else "…"

    def matches(self, candidate: bytes) -> bool:
        """Is this the same value? Takes the same time whatever the answer."""
        return hmac.compare_digest(self._value.encode(), candidate)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be serialised")
