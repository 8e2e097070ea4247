"""An official client in a process of its own, as a caller to send jobs to."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.e2e.gateway import Gateway

__all__ = ["SDK", "openai_node", "openai_python"]

_SCRIPTS = Path(__file__).parent / "clients"
_LONGEST_LINE = 1 << 26
_PATIENCE = 30.0


def openai_python() -> SDK:
    """The `openai` package for Python."""
    return SDK(sys.executable, str(_SCRIPTS / "openai_client.py"), env={})


def openai_node(program: Path, packages: Path) -> SDK:
    """The `openai` package for Node, installed below `packages`."""
    return SDK(str(program), str(_SCRIPTS / "openai_client.mjs"), env={"NODE_CLIENTS": str(packages)})


class SDK:
    """Runs one of the scripts in `clients`, which say what jobs there are: `async with openai_python() as sdk`."""

    def __init__(self, *command: str, env: Mapping[str, str]) -> None:
        """Nothing runs yet."""
        self._command = command
        self._env = env
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, env=self._env, stdin=pipe, stdout=pipe, limit=_LONGEST_LINE
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def create(self, gateway: Gateway, /, **arguments: object) -> dict[str, Any]:
        """What comes of `chat.completions.create`: `headers`, and `completion` or `chunks`; or `error`."""
        return await self.do(gateway, "create", arguments=arguments)

    async def do(
        self,
        gateway: Gateway,
        what: str,
        *,
        arguments: Mapping[str, object] | None = None,
        api_key: str = "any",
        retries: int = 0,
        leave_after: int | None = None,
    ) -> dict[str, Any]:
        """What comes of a job."""
        assert self._process.stdin is not None
        number = next(self._ids)
        job = {"id": number, "do": what, "arguments": arguments or {}, "leave_after": leave_after}
        job |= {"base_url": gateway.url, "api_key": api_key, "retries": retries}
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        async with asyncio.timeout(_PATIENCE):
            seen: dict[str, Any] = await answer
        assert "broken" not in seen, seen["broken"]
        return seen

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            seen = json.loads(line)
            answer = self._waiting.pop(seen["id"])
            if not answer.done():  # whoever asked may have given up
                answer.set_result(seen)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(RuntimeError("the client's process has ended; see what it wrote"))
