"""`satisfice serve`: the gateway, by a file of settings or by what is found here."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Final, Literal

import click
import msgspec

from satisfice import __version__
from satisfice.cli import options, render
from satisfice.cli.events import Ready
from satisfice.cli.exits import Exit, Failure
from satisfice.cli.hosting import host, run
from satisfice.cli.listening import listen, url_of
from satisfice.cli.log import JSONLog, Log, TextLog
from satisfice.cli.looking import look
from satisfice.cli.plan import TOKEN_VARIABLE, Plan, plan
from satisfice.config.addresses import is_loopback
from satisfice.config.schema import ServerConfig
from satisfice.core.clock import SystemClock
from satisfice.engine.assembly import gateway_for
from satisfice.engine.gateway import Gateway
from satisfice.transport.client import HTTPTransport

__all__ = ["serve"]


@click.command()
@options.config
@click.option("--host", "--listen", "address", metavar="ADDRESS", help="Listen at this address instead of 127.0.0.1.")
@click.option("-p", "--port", type=click.IntRange(0, 65_535), help="Listen on this port instead of 8402.")
@options.log
@options.verbose
@options.no_color
def serve(
    config_file: Path | None,
    address: str | None,
    port: int | None,
    *,
    log_format: Literal["text", "json"] | None,
    is_verbose: bool,
) -> int:
    """Serve the API to your programs.

    Without a configuration it takes the keys in the environment and the model servers that run on this machine.

    \b
    Examples:
      satisfice serve
      satisfice serve --config gateway.toml --log json
    """
    made = plan(config_file, os.environ)
    settings = _settings(made, address, port)
    sockets = listen(settings.host, settings.port, command="satisfice serve")
    log = JSONLog(sys.stdout.buffer) if _is_for_programs(log_format) else TextLog(is_verbose=is_verbose)
    try:
        return run(_serve(made, settings, sockets, log=log))
    finally:
        log.close()
