"""Asks through the official `openai` package: a job a line on standard input, what came of it a line on the output.

`openai_client.mjs` is the same for Node. A job is `{"id", "base_url", "api_key", "retries", "do", "arguments"}`; to
`do` there is `create`, `stream` (the package's own helper) and `models`. `leave_after` breaks a stream off.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import Any

from openai import APIError, APIStatusError, OpenAI

_output = threading.Lock()


def _create(client: OpenAI, job: dict[str, Any], seen: dict[str, Any]) -> None:
    arguments = job["arguments"]
    raw = client.chat.completions.with_raw_response.create(**arguments)
    seen["headers"] = dict(raw.headers)
    if not arguments.get("stream"):
        seen["completion"] = raw.parse().to_dict()
        return
    seen["chunks"] = []
    stream: Any = raw.parse()
    for chunk in stream:
        seen["chunks"].append(chunk.to_dict())
        if len(seen["chunks"]) == job.get("leave_after"):
            stream.close()
            return


def _stream(client: OpenAI, job: dict[str, Any], seen: dict[str, Any]) -> None:
    with client.chat.completions.stream(**job["arguments"]) as stream:
        seen["events"] = [event.type for event in stream]
        seen["completion"] = stream.get_final_completion().to_dict()


def _models(client: OpenAI, _: dict[str, Any], seen: dict[str, Any]) -> None:
    seen["models"] = [model.id for model in client.models.list()]


_DO = {"create": _create, "stream": _stream, "models": _models}


def _answer(job: dict[str, Any]) -> None:
    seen: dict[str, Any] = {"id": job["id"]}
    try:
        with OpenAI(base_url=job["base_url"], api_key=job["api_key"], max_retries=job["retries"]) as client:
            _DO[job["do"]](client, job, seen)
    except APIError as error:
        seen["error"] = {"type": type(error).__name__, "message": error.message, "code": error.code}
        if isinstance(error, APIStatusError):
            seen["error"] |= {"status": error.status_code, "headers": dict(error.response.headers)}
    except Exception:
        seen["broken"] = traceback.format_exc()
    with _output:
        sys.stdout.write(json.dumps(seen) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for line in sys.stdin:
        threading.Thread(target=_answer, args=(json.loads(line),)).start()
