"""`satisfice serve`: the gateway, by a file of settings or by what is found here."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Final, Literal

import click
import msgspec

from satisfice import __version__
from satisfice.cli import options, render
from satisfice.cli.events import Ready
from satisfice.cli.exits import Exit, Misconfigured
from satisfice.cli.hosting import Front, Host, host, run
from satisfice.cli.listening import listen, url_of
from satisfice.cli.log import JSONLog, Log, TextLog, told_to
from satisfice.cli.plan import TOKEN_VARIABLE, Plan, plan
from satisfice.cli.reloading import Reloader, Settle, front_for
from satisfice.config.addresses import is_loopback
from satisfice.config.schema import ServerConfig
from satisfice.config.state import state_folder
from satisfice.core.clock import SystemClock
from satisfice.engine.gateway import Gateway
from satisfice.engine.keeper import Keeper

__all__ = ["serve"]


@click.command(epilog=options.examples("satisfice serve", "satisfice serve --config gateway.toml --log json"))
@options.config
@click.option("--host", "--listen", "address", metavar="ADDRESS", help="Listen at this address instead of 127.0.0.1.")
@click.option("-p", "--port", type=click.IntRange(0, 65_535), help="Listen on this port instead of 8402.")
@options.log
@options.verbose
@options.no_color
def serve(
    config_file: Path | None,
    *,
    address: str | None,
    port: int | None,
    log_format: Literal["text", "json"] | None,
    is_verbose: bool,
) -> int:
    """Serve the API to your programs.

    Without a configuration it takes the keys in the environment and the model servers that run on this machine.
    """
    made = plan(config_file, os.environ)
    settle = partial(_settings, address=address, port=port)
    settings = settle(made, None)
    sockets = listen(settings.host, settings.port, command="satisfice serve")
    log = JSONLog(sys.stdout.buffer) if _is_for_programs(log_format) else TextLog(is_verbose=is_verbose)
    try:
        return run(_serve(made, settle, sockets=sockets, log=log))
    finally:
        log.close()


_SOON: Final = 0.8
_STATE: Final = "memory.json"
"""In the folder of the state."""


def _is_for_programs(log_format: Literal["text", "json"] | None) -> bool:
    return log_format == "json" or (log_format is None and not sys.stderr.isatty())


def _settings(made: Plan, bound: str | None, *, address: str | None, port: int | None) -> ServerConfig:
    """Those of the file, with what the command line says instead; refused if anybody could come in.

    `bound` is where we listen already, whatever the file says by now.
    """
    server = made.config.server
    host, port = address or server.host, server.port if port is None else port
    reachable = bound or host
    if not is_loopback(reachable) and server.access_token is None and not made.config.keys:
        how = "" if made.file is None else f' and access_token = "env:{TOKEN_VARIABLE}" under [server] in {made.file}'
        raise Misconfigured(
            f"Other machines could reach {reachable}, and spend your money: there is no access token.",
            hint=f"export {TOKEN_VARIABLE}=$(openssl rand -hex 32){how}\nsatisfice serve --host 127.0.0.1",
        )
    return msgspec.structs.replace(server, host=host, port=port)


async def _serve(made: Plan, settle: Settle, *, sockets: list[socket.socket], log: Log) -> int:
    made = made.without_port(sockets[0].getsockname()[1])
    clock = SystemClock()
    front = front_for(made, settle(made, None), clock=clock)
    gateway = front.gateway
    folder = state_folder(front.settings.state_dir, os.environ)
    keeper = Keeper(gateway.memory, None if folder is None else folder / _STATE)
    with told_to(log, clock):
        keeper.recall(gateway.catalog.offers)
        reloader = Reloader(front, made, settle=settle, keeper=keeper, log=log)
        gateway.start()
        try:
            if made.file is None and not made.config.providers and not await _has_offers(gateway, made):
                return Exit.DONE
            await _host(front, made, reloader=reloader, keeper=keeper, sockets=sockets, log=log)
        finally:
            await gateway.stop()
            await keeper.save()
    return Exit.DONE


async def _has_offers(gateway: Gateway, made: Plan) -> bool:
    """Is there anything to serve, if there is neither a file nor a key?"""
    try:
        async with asyncio.timeout(_SOON):
            await gateway.refresher.has_looked.wait()
    except TimeoutError:
        pass
    if gateway.is_ready:
        return True
    servers = ", ".join(f"{made.where[each.name]} ({each.name})" for each in made.maybe)
    render.note(
        "There is nothing to serve: no configuration, no key in the environment, no model server on this machine.\n"
        f"Looked for {', '.join(made.missing)}; and at {servers}."
    )
    render.next_step("satisfice demo", "to try it without any of these")
    render.next_step("satisfice init", "to write a configuration")
    return False


async def _host(
    front: Front, made: Plan, *, reloader: Reloader, keeper: Keeper, sockets: list[socket.socket], log: Log
) -> None:
    gateway, settings, _ = front
    url = url_of(sockets, settings.host)
    ready = Ready(
        time_ms=gateway.clock.unix_ms(),
        url=url,
        version=__version__,
        config=None if made.file is None else str(made.file),
        needs_token=settings.access_token is not None or bool(made.config.keys),
    )

    async def beside(server: Host) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(keeper.run())
            await reloader.run(server, lambda: log.hint(f"curl {url}/v1/models", "what can be asked for"))

    await host(front, sockets=sockets, log=log, ready=ready, beside=beside, on_call=keeper.note)
