"""How many tokens a call will take, learnt from what calls have taken.

Input: the bytes of the body times tokens per byte. That ratio begins with what
the model's family is known for and is set right by the usage that is reported.
Images are counted apart, whatever their size as text.

Output: each model learns for each kind of call how long its answers are, and
begins with what all models together do for that kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import Final, NewType

import msgspec

from satisfice.catalog.model import ModelId
from satisfice.core.amounts import Usage
from satisfice.routing.fading import Ratio, Sums
from satisfice.routing.lengths import Lengths
from satisfice.routing.recent import Recent
from satisfice.wire.body import Body
from satisfice.wire.request import Ability, Request

__all__ = ["Expected", "Forecast", "ForecastSnapshot", "Kind", "kind_of"]

Kind = NewType("Kind", str)
"""The shape of a call as far as it tells how long the answer will be: `plain`, `tools`, `json_schema+effort=high`."""


class Expected(msgspec.Struct, frozen=True, gc=False):
    """Tokens that a call will take, all its choices together."""

    input: int
    output: int
    """On average."""
    low: int
    """One answer in ten is shorter."""
    high: int
    """One answer in ten is longer."""
    most: int
    """It can't be longer: the caller's limit, or, where there is none, a bound that hardly any answer reaches."""


class ForecastSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt, to be kept over a restart."""

    text: Mapping[ModelId, Sums] = msgspec.field(default_factory=dict)
    """Tokens over bytes."""
    images: Mapping[ModelId, Sums] = msgspec.field(default_factory=dict)
    """Tokens over images."""
    kinds: Mapping[Kind, tuple[Sums, Sums]] = msgspec.field(default_factory=dict)
    """See `Lengths.sums`."""
    models: Mapping[ModelId, Mapping[Kind, tuple[Sums, Sums]]] = msgspec.field(default_factory=dict)
    """The same, for one model."""


_MODELS: Final = 4_096
"""Models remembered, and models with a kind of call; a catalog may list more, but few are used."""
_ENDLESS: Final = 10**12
"""More tokens than this are told as so many: a caller may ask for any number, and a float can't hold each."""

_EVERY: Final = 7
"""To learn takes as long as to decide. Not a round number, so that what comes in turns is not always the same one."""

_BYTES_PER_TOKEN: Final = 4.0
"""Of English text, code and the JSON around them; https://help.openai.com/en/articles/4936856."""
_FAMILIES: Final = (
    (("gpt-4o", "gpt-4.1", "gpt-5", "chatgpt", "o1", "o3", "o4"), 4.2),  # the larger vocabulary, o200k
    (("claude",), 3.5),  # https://docs.anthropic.com/en/docs/about-claude/glossary, tokens
    (("mistral", "mixtral", "ministral", "codestral"), 3.7),
)
_TEXT_PRIOR: Final = 8_000.0
"""Bytes that the family's ratio is worth: a few calls."""
_TEXT_FADE: Final = 0.98
_TOKENS_PER_IMAGE: Final = 800.0
"""Between the 85 of a coarse look and the 1,600 of a large picture; some models take 30 times that, so it is learnt."""
_IMAGE_PRIOR: Final = 4.0
_MOST_OFF: Final = 10.0
"""One report may differ from what was expected by this factor; what is beyond it counts as so much."""

_USUAL: Final = 300.0
"""Tokens of an answer, before anything is known."""
_THOUGHT: Final = 1_500.0
"""The same where the caller lets the model think."""

_VISION: Final = Ability.VISION  # each look into an enumeration costs as much as the question
_EFFORTS: Final = (None, "none", "minimal", "low", "medium", "high", "xhigh")
_THINKING: Final = frozenset(("low", "medium", "high", "xhigh"))


def _name(needs: frozenset[Ability], effort: str | None) -> Kind:
    parts = [ability.value for ability in (Ability.TOOLS, Ability.JSON_SCHEMA) if ability in needs]
    if effort is not None:
        parts.append(f"effort={effort}")
    elif Ability.REASONING in needs:
        parts.append(Ability.REASONING.value)
    return Kind("+".join(parts) or "plain")


def _prior(needs: frozenset[Ability], effort: str | None) -> float:
    return _THOUGHT if effort in _THINKING or (effort is None and Ability.REASONING in needs) else _USUAL


_NEEDS: Final = tuple(
    frozenset(ability for ability, is_in in zip(Ability, bits, strict=True) if is_in)
    for bits in product((False, True), repeat=len(Ability))
)
_KINDS: Final[Mapping[tuple[frozenset[Ability], str | None], Kind]] = {
    (needs, effort): _name(needs, effort) for needs in _NEEDS for effort in _EFFORTS
}
"""Made once: a call only looks its kind up."""
_PRIORS: Final[Mapping[Kind, float]] = {kind: _prior(needs, effort) for (needs, effort), kind in _KINDS.items()}


def kind_of(request: Request) -> Kind:
    """The kind of a call; an effort that nobody has heard of is none at all."""
    return _KINDS.get((request.needs, request.effort)) or _KINDS[request.needs, None]


class Forecast:
    """What is known of models: how they count what they read, and how much they write."""

    __slots__ = ("_family", "_images", "_kinds", "_lengths", "_passed", "_seen", "_text", "version")

    def __init__(self) -> None:
        """Nothing has been learnt yet."""
        self.version = 0
        """Rises with each lesson: what was computed from an older one is a little out of date."""
        self._family = lru_cache(_MODELS)(_tokens_per_byte)
        self._text = Recent[ModelId, Ratio](_MODELS)
        self._images = Recent[ModelId, Ratio](_MODELS)
        self._kinds = {kind: Lengths.around(tokens) for kind, tokens in _PRIORS.items()}
        self._lengths = Recent[tuple[ModelId, Kind], Lengths](_MODELS)
        self._seen: tuple[Body, int, int] | None = None
        self._passed = 0  # calls that there was hardly anything to learn from

    def expect(self, request: Request, model: ModelId, *, kind: Kind) -> Expected:
        """The tokens that this call, which is of this kind, will take at this model."""
        text = self._text.get(model)
        per_byte = self._family(model) if text is None else text.value
        if request.needs and _VISION in request.needs:
            size, images = self._look(request)
            tokens_in = size * per_byte + images * self._per_image(model)
        else:
            tokens_in = request.body.size * per_byte
        lengths = self._lengths.get((model, kind)) or self._kinds[kind]
        limit = request.max_output
        mean, low, high, most = lengths.usual if limit is None else lengths.within(min(limit, _ENDLESS))
        times = request.choices
        if times != 1:
            times = min(max(1, times), _ENDLESS)
        return Expected(int(tokens_in + 0.5), mean * times, low * times, high * times, most * times)

    def rates(self, model: ModelId, kind: Kind) -> tuple[float, float]:
        """Tokens of input for each byte of the body, and of an answer that no limit cuts off, on average."""
        text = self._text.get(model)
        lengths = self._lengths.get((model, kind)) or self._kinds[kind]
        return self._family(model) if text is None else text.value, lengths.mean

    def learn(self, request: Request, model: ModelId, *, kind: Kind, usage: Usage) -> None:
        """A call of this kind has taken so much at this model. Where much is known only some are looked at."""
        self._seen = None
        known = self._lengths.get((model, kind))
        if known is not None and known.is_settled:
            self._passed += 1
            if self._passed % _EVERY:
                return
        self.version += 1
        if usage.input:
            self._learn_input(request, model, tokens=min(usage.input, _ENDLESS))
            self._seen = None
        everybody = self._kinds[kind]
        lengths = known or Lengths.around(everybody.mean, everybody.deviation)
        self._lengths.put((model, kind), lengths)
        tokens, limit = min(usage.output, _ENDLESS) / max(1, request.choices), request.max_output
        for each in (lengths, everybody):
            each.add(tokens, is_cut=limit is not None and tokens >= limit)

    def snapshot(self) -> ForecastSnapshot:
        """What was learnt."""
        models: dict[ModelId, dict[Kind, tuple[Sums, Sums]]] = {}
        for (model, kind), lengths in self._lengths.items():
            models.setdefault(model, {})[kind] = lengths.sums
        return ForecastSnapshot(
            text={model: ratio.sums for model, ratio in self._text.items()},
            images={model: ratio.sums for model, ratio in self._images.items()},
            kinds={kind: lengths.sums for kind, lengths in self._kinds.items()},
            models=models,
        )

    def restore(self, snapshot: ForecastSnapshot) -> None:
        """Go on from what was learnt before; kinds of call that there are no more are left out."""
        self.version += 1
        for table, kept in ((self._text, snapshot.text), (self._images, snapshot.images)):
            for model, sums in kept.items():
                table.put(model, Ratio(sums.top, sums.bottom, fade=_TEXT_FADE))
        for kind, (mean, spread) in snapshot.kinds.items():
            if kind in self._kinds:
                self._kinds[kind] = Lengths(mean, spread)
        for model, kinds in snapshot.models.items():
            for kind, (mean, spread) in kinds.items():
                if kind in self._kinds:
                    self._lengths.put((model, kind), Lengths(mean, spread))

    def _per_image(self, model: ModelId) -> float:
        ratio = self._images.get(model)
        return _TOKENS_PER_IMAGE if ratio is None else ratio.value

    def _look(self, request: Request) -> tuple[int, int]:
        """Bytes that are text, and images. The last request is remembered: every model is asked about the same one."""
        if self._seen is None or self._seen[0] is not request.body:
            messages = bytes(request.body.get("messages") or b"")
            payload = sum(len(after.partition(b'"')[0]) for after in messages.split(b";base64,")[1:])
            self._seen = (request.body, request.body.size - payload, messages.count(b'"image_url":'))
        return self._seen[1:]

    def _learn_input(self, request: Request, model: ModelId, *, tokens: int) -> None:
        prior = self._family(model)
        text = self._text.get(model) or Ratio(prior * _TEXT_PRIOR, _TEXT_PRIOR, fade=_TEXT_FADE)
        size, images = self._look(request) if _VISION in request.needs else (request.body.size, 0)
        if not images:
            self._text.put(model, text)
            text.add(_bounded(tokens, text.value * size), size)
            return
        # How much of it was text can only be guessed, so this tells of the images alone.
        rest = max(0.0, tokens - text.value * size)
        ratio = self._images.get(model) or Ratio(_TOKENS_PER_IMAGE * _IMAGE_PRIOR, _IMAGE_PRIOR, fade=_TEXT_FADE)
        self._images.put(model, ratio)
        ratio.add(_bounded(rest, ratio.value * images), images)


def _tokens_per_byte(model: ModelId) -> float:
    name = model.rpartition("/")[2].casefold()
    return 1.0 / next((size for prefixes, size in _FAMILIES if name.startswith(prefixes)), _BYTES_PER_TOKEN)


def _bounded(seen: float, expected: float) -> float:
    return min(max(expected / _MOST_OFF, seen), expected * _MOST_OFF)
