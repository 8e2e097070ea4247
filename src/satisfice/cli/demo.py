"""`satisfice demo`: the gateway before a market of scripted providers."""

from __future__ import annotations

import socket
import sys
from typing import Final, Literal

import click

from satisfice import __version__
from satisfice.catalog.model import AUTO
from satisfice.cli import options, render
from satisfice.cli.events import Ready
from satisfice.cli.exits import Exit, Misconfigured
from satisfice.cli.hosting import Front, Host, host, run
from satisfice.cli.listening import listen, url_of
from satisfice.cli.log import JSONLog, Log, TextLog, told_to
from satisfice.config.load import default_config
from satisfice.config.schema import ServerConfig
from satisfice.core.clock import SystemClock
from satisfice.core.errors import ConfigError
from satisfice.engine.assembly import scripted_gateway
from satisfice.server.access import Access
from satisfice.transport.scenario import Scenario, scenario, shipped
from satisfice.transport.scripted import ScriptedTransport

__all__ = ["demo", "play"]


@click.command(epilog=options.examples("satisfice demo", "satisfice demo --script cut-before-first-token"))
@click.option("--script", default="demo", show_default=True, metavar="NAME|FILE", help="Which scenario to play.")
@click.option("--list", "lists", is_flag=True, help="List the scenarios and stop.")
@click.option("-p", "--port", type=click.IntRange(0, 65_535), help="Listen on this port instead of 8402.")
@options.log
@options.no_color
def demo(script: str, lists: bool, *, port: int | None, log_format: Literal["text", "json"] | None) -> int:  # noqa: FBT001 - a flag
    """Serve a market of scripted providers: no keys, no money, no network.

    Each call is told: who was tried, how they failed, who answered, and what it would have cost.
    """
    if lists:
        render.table(("SCENARIO", "WHAT THERE IS TO SEE"), [(name, scenario(name).description) for name in shipped()])
        render.next_step("satisfice demo --script cut-before-first-token")
        return Exit.DONE
    played = play(script)
    settings = default_config().server
    port = settings.port if port is None else port
    sockets = listen(settings.host, port, command="satisfice demo")
    log = JSONLog(sys.stdout.buffer) if log_format == "json" else TextLog(is_verbose=True)
    try:
        return run(_serve(played, settings, sockets=sockets, log=log))
    finally:
        log.close()


def play(script: str) -> Scenario:
    """A scenario by its name or file, or `Misconfigured`."""
    try:
        return scenario(script)
    except ConfigError as error:
        raise Misconfigured(error.message, hint=error.hint) from error


async def _serve(played: Scenario, settings: ServerConfig, *, sockets: list[socket.socket], log: Log) -> int:
    clock = SystemClock()
    gateway = scripted_gateway(played, ScriptedTransport(played, clock), clock=clock)
    url = url_of(sockets, settings.host)
    ready = Ready(time_ms=clock.unix_ms(), url=url, version=__version__, config=None, needs_token=False, is_demo=True)
    model = AUTO if gateway.catalog.find(AUTO) else gateway.catalog.models[0]

    async def beside(_: Host) -> None:
        log.hint(_CALL.format(url=url, model=model), "")
        log.hint("satisfice init", "write a configuration for the keys and model servers found here")

    gateway.start()
    with told_to(log, clock):
        await host(Front(gateway, settings, Access()), sockets=sockets, log=log, ready=ready, beside=beside)
    return Exit.DONE


_CALL: Final = """\
curl -N {url}/v1/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "hello"}}]}}'"""
