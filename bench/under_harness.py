#!/usr/bin/env python3
"""Runs the gateway under any harness that tells PORT, UPSTREAMS and CA_FILE in the environment.

    PORT=9200 UPSTREAMS=http://127.0.0.1:9101,http://127.0.0.1:9102 bench/under_harness.py [MODEL ...]

writes a configuration with one provider for each base URL (without /v1), all selling the same models, into a
temporary folder, and becomes `satisfice serve`. Models: the arguments, or else BENCH_MODELS (separated by commas), or
else `MODELS`. BENCH_OFFERS is how many offers the catalog is to have at ten providers, instead of those alone. Needs
the standard library only, so any Python can start it; SATISFICE_PYTHON is the Python that has Satisfice, by default
the one that runs this, or the repository's .venv.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

__all__ = ["MODELS", "gateway_command", "gateway_config", "gateway_environment", "main"]

MODELS = (
    "mock",
    "mock-n10",
    "mock-n100",
    "mock-n100-d10",
    "mock-n100-d20",
    "mock-n9-d1000",
    "mock-n18-d1000",
    "mock-n60-d1000",
)

_KEY_VARIABLE = "BENCH_KEY"
_PROVIDERS = 10
_REPOSITORY = Path(__file__).resolve().parent.parent


def gateway_config(
    port: int, upstreams: list[str], *, ca_file: str | None, models: tuple[str, ...], offers: int = 0
) -> str:
    """The gateway's TOML: every base URL a provider of every model, at one price.

    With `offers` there are ten providers, which have so many offers together; all but the first are dearer.
    """
    tables = [f'[server]\nhost = "127.0.0.1"\nport = {port}\n']
    if offers:
        upstreams = [upstreams[number % len(upstreams)] for number in range(_PROVIDERS)]
        models += tuple(f"other-{number}" for number in range(offers // _PROVIDERS - len(models)))
    for number, upstream in enumerate(upstreams, 1):
        lines = [
            "[[providers]]",
            f'name = "up{number}"',
            f"url = {_quoted(upstream.rstrip('/') + '/v1')}",
            f'key = "env:{_KEY_VARIABLE}"',
        ]
        if ca_file:
            lines.append(f"ca_file = {_quoted(ca_file)}")
        for model in models:
            lines += [
                "",
                "  [[providers.models]]",
                f"  id = {_quoted(model)}",
                f"  input_msat_per_mtok = {100 + (number if offers else 0)}",
                f"  output_msat_per_mtok = {400 + (number if offers else 0)}",
            ]
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def gateway_command(python: str, *, config: Path, port: int) -> list[str]:
    """How the gateway is started: as its users start it."""
    return [python, "-m", "satisfice", "serve", "--config", str(config), "--port", str(port)]


def gateway_environment(folder: Path) -> dict[str, str]:
    """Ours, but with a key for the providers, no proxy on the way to them, and all files of the gateway in `folder`."""
    places = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    own = {_KEY_VARIABLE: "sk-upstream", "NO_PROXY": "localhost,127.0.0.1"}
    return {**os.environ, **dict.fromkeys(places, str(folder)), **own}


def main() -> None:
    """Writes the configuration and becomes the gateway."""
    port = int(os.environ["PORT"])
    upstreams = os.environ["UPSTREAMS"].split(",")
    models = tuple(sys.argv[1:]) or tuple(filter(None, os.environ.get("BENCH_MODELS", "").split(","))) or MODELS
    folder = Path(tempfile.mkdtemp(prefix="satisfice-bench-"))
    config = folder / "satisfice.toml"
    offers = int(os.environ.get("BENCH_OFFERS", "0"))
    config.write_text(gateway_config(port, upstreams, ca_file=os.environ.get("CA_FILE"), models=models, offers=offers))
    os.chdir(folder)
    command = gateway_command(_python(), config=config, port=port)
    os.execve(command[0], command, gateway_environment(folder))  # noqa: S606 - no shell is wanted


def _python() -> str:
    own = _REPOSITORY / ".venv/bin/python"
    if chosen := os.environ.get("SATISFICE_PYTHON"):
        return chosen
    if importlib.util.find_spec("satisfice") is None and own.exists():
        return str(own)
    return sys.executable


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string.
    return json.dumps(text)


if __name__ == "__main__":
    main()
