"""Zero configuration: providers whose keys are in the environment, and model servers that may run on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from satisfice.config.problems import Unfit
from satisfice.config.references import check_token
from satisfice.config.schema import ProviderConfig
from satisfice.core.secrets import Secret
from satisfice.ports import Endpoint

__all__ = ["KNOWN_PROVIDERS", "LOCAL_SERVERS", "KnownProvider", "LocalServer", "from_environment"]


class KnownProvider(NamedTuple):
    """A provider whose clients agree on the name of a variable."""

    name: str
    variable: str
    """Where its key is."""
    url: str


class LocalServer(NamedTuple):
    """A model server that listens on this machine unless told otherwise."""

    name: str
    port: int

    @property
    def provider(self) -> ProviderConfig:
        """It as a provider whose models cost nothing."""
        endpoint = Endpoint(provider=self.name, url=f"http://127.0.0.1:{self.port}/v1")
        return ProviderConfig(endpoint=endpoint, list_models=True, free=True)


# Not the address in OPENAI_BASE_URL: clients are pointed at this gateway by it.
KNOWN_PROVIDERS: Final = (
    KnownProvider("openai", "OPENAI_API_KEY", "https://api.openai.com/v1"),
    KnownProvider("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
    KnownProvider("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
    KnownProvider("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
    KnownProvider("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"),
    KnownProvider("xai", "XAI_API_KEY", "https://api.x.ai/v1"),
    KnownProvider("together", "TOGETHER_API_KEY", "https://api.together.xyz/v1"),
    KnownProvider("fireworks", "FIREWORKS_API_KEY", "https://api.fireworks.ai/inference/v1"),
    KnownProvider("cerebras", "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1"),
    KnownProvider("gemini", "GEMINI_API_KEY", "https://generativelanguage.googleapis.com/v1beta/openai"),
    KnownProvider("deepinfra", "DEEPINFRA_API_KEY", "https://api.deepinfra.com/v1/openai"),
)
"""In the order in which they are shown."""

LOCAL_SERVERS: Final = (
    LocalServer("ollama", 11434),
    LocalServer("llama-cpp", 8080),
    LocalServer("vllm", 8000),
    LocalServer("lm-studio", 1234),
)
"""Whether one is there is found out by asking."""


def from_environment(env: Mapping[str, str]) -> tuple[ProviderConfig, ...]:
    """A provider for each known variable that holds what can be sent as a key."""
    return tuple(
        ProviderConfig(
            endpoint=Endpoint(provider=known.name, url=known.url, key=Secret(env[known.variable].strip())),
            list_models=True,
        )
        for known in KNOWN_PROVIDERS
        if _is_key(env.get(known.variable, ""))
    )


def _is_key(value: str) -> bool:
    try:
        check_token(value.strip())
    except Unfit:
        return False
    return True
