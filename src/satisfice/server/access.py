"""Who may ask: the access token, the keys of callers, and what a browser says of the page that asks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from satisfice.core.errors import BadKey, ForeignOrigin
from satisfice.core.secrets import Secret
from satisfice.ports import Headers

__all__ = ["Access"]

_KEYS: Final = frozenset((b"authorization", b"x-api-key"))
# Browsers send an origin with every POST (https://fetch.spec.whatwg.org/#origin-header). Extensions and desktop
# programs have schemes of their own; `null` is a page that hides where it is from.
_FOREIGN: Final = re.compile(
    rb"null|https?://(?!(?:localhost|[a-z0-9-]+\.localhost|127\.[0-9.]+|\[::1\])(?::[0-9]+)?$).*", re.IGNORECASE
)
# A page whose name was pointed at this machine after it was loaded (DNS rebinding) is of the same origin as we are, and
# says no more than that name. Addresses, names without a dot and those that nobody can own are no such names.
_PUBLIC: Final = re.compile(
    rb"(?!\[|[0-9.]+(?::|$)|.*\.(?:localhost|local|internal|lan|home\.arpa)\.?(?::[0-9]+)?$)[^:]+\.[^:.].*",
    re.IGNORECASE,
)


class Access:
    """What callers have to bring; without a token and without keys everybody may ask but pages of other sites."""

    def __init__(self, token: Secret | None = None, keys: Mapping[str, Secret] | None = None) -> None:
        """The one token, and the keys by the names of their callers."""
        self._secrets: list[tuple[str | None, Secret]] = [] if token is None else [(None, token)]
        self._secrets += (keys or {}).items()

    @property
    def names(self) -> tuple[str | None, ...]:
        """All that `identify` may answer."""
        return (None, *(name for name, _ in self._secrets if name is not None))

    def identify(self, headers: Headers) -> str | None:
        """The name of the caller's key, None for the access token or where none is needed; `BadKey`, `ForeignOrigin`.

        Both ways to bring a key count: `Authorization: Bearer` and `x-api-key`.
        """
        if not self._secrets:
            _check_origin(headers)
            return None
        brought = [_bare(value) for name, value in headers if name in _KEYS]
        if not brought:
            raise BadKey("An access token is needed.")
        # All are compared, so that the time taken does not tell which of them is right.
        found = [name for name, secret in self._secrets for key in brought if secret.matches(key)]
        if not found:
            raise BadKey("The access token is wrong.")
        return found[0]


def _check_origin(headers: Headers) -> None:
    for name, value in headers:
        if name == b"origin" and _FOREIGN.fullmatch(value):
            raise ForeignOrigin("A page of another site asks.")
        if name == b"host" and _PUBLIC.fullmatch(value):
            raise ForeignOrigin("The request is for a public host name, as if from a page of another site.")


def _bare(key: bytes) -> bytes:
    """Without the scheme, whose name has no case (RFC 9110 section 11.1)."""
    return key[7:].strip() if key[:7].lower() == b"bearer " else key
