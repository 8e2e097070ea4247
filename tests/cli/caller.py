"""Asks a gateway as a program would."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

__all__ = ["ask", "asking"]

_PATIENCE = 30.0


@contextmanager
def asking(
    url: str, *, model: str = "small", prompt: str = "Hello", stream: bool = False, key: str = "any"
) -> Iterator[http.client.HTTPResponse]:
    """An answer whose head is here; its body can be read as it comes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)
    body = json.dumps({"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]})
    try:
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


def ask(url: str, *, model: str = "small", prompt: str = "Hello", stream: bool = False, key: str = "any") -> str:
    """A whole answer, whatever it is."""
    with asking(url, model=model, prompt=prompt, stream=stream, key=key) as response:
        return response.read().decode()
