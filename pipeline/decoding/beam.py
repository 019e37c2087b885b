"""Prefix beam search: the most probable texts, with a language model and hotwords if there are any."""

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Self

import numpy as np

from pipeline.decoding.alignment import align
from pipeline.decoding.greedy import pause_frames, pauses
from pipeline.decoding.hotwords import Hotwords
from pipeline.decoding.language_model import LanguageModel
from pipeline.decoding.prefix_score import Belief, PrefixScorer
from pipeline.decoding.transcript import BLANK, Transcript, spell
from pipeline.decoding.weights import DecodingWeights
from pipeline.errors import InputError
from pipeline.text import Units

DEFAULT_WIDTH = 16
DEFAULT_HOTWORD_WEIGHT = {"characters": 8.0, "words": 2.0}
"""Nats for a hotword that is there, by the kind of the units: it may be e^8, or 3000, times less probable than what it
replaces. A word that is a single unit is put in where nobody said it for far less than one of many letters."""
DEFAULT_CUTOFF = 8.0
"""Nats: units this much less probable than a frame's best one are not tried."""

_NOTHING = -math.inf
_FLOOR = -1e4
"""Nats: as much as posteriors of 0 count, which would leave an alignment without a path."""


@dataclass(frozen=True)
class Hypothesis:
    """What may have been said; `score` in nats: the text's log probability and what language model and hotwords add."""

    transcript: Transcript
    score: float


@dataclass(frozen=True)
class NBest(Transcript):
    """The best transcript, and `alternatives` of it, the best again among them: (text, score), the best first."""

    alternatives: tuple[tuple[str, float], ...]

    def joined(self, other: Self) -> Self:
        """See `Transcript`; of all pairs of alternatives as many as either has."""
        pairs = [
            (f"{text} {after}".strip(), score + further)
            for text, score in self.alternatives
            for after, further in other.alternatives
        ]
        count = max(len(self.alternatives), len(other.alternatives))
        best = tuple(sorted(pairs, key=lambda pair: -pair[1])[:count])
        return replace(super().joined(other), alternatives=best)

    def unanswered(self) -> Self:
        """See `Transcript`."""
        return replace(super().unanswered(), alternatives=())


@dataclass(slots=True, eq=False)
class _Prefix:
    """A beginning of a text with the log probabilities of its paths: those that end in a blank, and in a label."""

    parent: "_Prefix | None"
    unit: int
    belief: Belief
    blank: float = _NOTHING
    label: float = _NOTHING
    total: float = _NOTHING
    score: float = _NOTHING
    active: bool = False
    next_blank: float = _NOTHING
    next_label: float = _NOTHING
    children: dict[int, "_Prefix"] = field(default_factory=dict)


class BeamDecoder:
    """CTC prefix beam search (Graves 2012, "Sequence transduction with recurrent neural networks"; Hannun et al. 2014,
    "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs", algorithm 1).

    Paths are added up that give the same text: spaces at the beginning, at the end and after spaces make no other.

    Args:
        units: of the model.
        frame_seconds: from one frame to the next.
        width: how many beginnings are kept from frame to frame, 1 or more.
        language_model: from `load_language_model`; without one the weight and the bonus count nothing.
        language_model_weight: what its log probabilities are multiplied by, 0 or more.
        word_bonus: nats for each word.
        hotwords: words and phrases to expect, or a dict of them with how many times the weight each is worth.
        hotword_weight: nats for a hotword in the text; default: `DEFAULT_HOTWORD_WEIGHT`.
        cutoff: nats; see `DEFAULT_CUTOFF`.

    Raises:
        InputError: a setting outside its range, or a hotword that the units cannot spell.

    Example:
        model = load_language_model("orders.arpa", units)
        BeamDecoder(units, 0.03, language_model=model, hotwords=["mocha"]).decode(log_probs).text
    """

    def __init__(
        self,
        units: Units,
        frame_seconds: float,
        width: int = DEFAULT_WIDTH,
        language_model: LanguageModel | None = None,
        language_model_weight: float = DecodingWeights.language_model_weight,
        word_bonus: float = DecodingWeights.word_bonus,
        hotwords: Mapping[str, float] | Iterable[str] = (),
        hotword_weight: float | None = None,
        cutoff: float = DEFAULT_CUTOFF,
    ):
        if width < 1:
            raise InputError(f"beam: a width of 1 or more wanted, found {width}")
        if not 0 <= language_model_weight < math.inf:
            raise InputError(f"language model: a weight of 0 or more wanted, found {language_model_weight}")
        if not math.isfinite(word_bonus):
            raise InputError(f"word bonus: a finite number wanted, found {word_bonus}")
        if not cutoff > 0:
            raise InputError(f"beam: a cutoff above 0 wanted, found {cutoff}")
        self._units, self._frame_seconds, self._width, self._cutoff = units, frame_seconds, width, cutoff
        self._pause_frames = pause_frames(units, frame_seconds)
        self._space = units.symbols.index(" ") + 1 if units.kind == "characters" and " " in units.symbols else None
        if hotword_weight is None:
            hotword_weight = DEFAULT_HOTWORD_WEIGHT[units.kind]
        self._scorer = PrefixScorer(
            units, language_model, language_model_weight, word_bonus, Hotwords(hotwords, hotword_weight, units)
        )

    def decode(self, log_probs: np.ndarray) -> Transcript:
        """The best transcript of log posteriors float [frames, units], of the true frames only."""
        return self.best(log_probs, 1)[0].transcript

    def decode_alternatives(self, log_probs: np.ndarray, count: int) -> NBest:
        """The best transcript with at most `count` texts that it may have been; see `best`."""
        hypotheses = self.best(log_probs, count)
        first = hypotheses[0].transcript
        alternatives = tuple((item.transcript.text, item.score) for item in hypotheses)
        return NBest(first.text, first.confidence, first.words, alternatives)

    def best(self, log_probs: np.ndarray, count: int) -> list[Hypothesis]:
        """At most `count` hypotheses of different texts, the best first; at least one."""
        log_probs = np.clip(np.nan_to_num(log_probs, nan=_FLOOR), _FLOOR, 0.0)
        searched, log_probs = self._with_spaces(log_probs)
        scores = self._texts(self._search(searched))
        hypotheses = []
        for labels in heapq.nlargest(max(count, 1), scores, key=scores.get):
            runs = align(log_probs, list(labels))
            transcript = spell(runs, log_probs, self._units, self._frame_seconds)
            hypotheses.append(Hypothesis(transcript, scores[labels]))
        return hypotheses

    def _with_spaces(self, log_probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log posteriors that have a space in each pause: as the search must write it, and as an alignment may."""
        middles = pauses(log_probs, self._pause_frames)
        if not len(middles):
            return log_probs, log_probs
        aligned = log_probs.copy()
        aligned[middles, self._space] = aligned[middles, BLANK]
        searched = aligned.copy()
        searched[middles, BLANK] = _FLOOR
        return searched, aligned

    def _search(self, log_probs: np.ndarray) -> list[_Prefix]:
        root = _Prefix(None, BLANK if self._space is None else self._space, self._scorer.start(), active=True)
        root.blank = root.total = root.score = 0.0
        beam = [root]
        for candidates in _candidates(log_probs, self._cutoff):
            floor = self._stay(beam, candidates)
            beam = self._prune(beam, self._extend(beam, candidates, floor))
        return beam

    def _stay(self, beam: list[_Prefix], candidates: list[tuple[int, float]]) -> float:
        """Paths that leave their text as it is: a blank, the last label again, or a space after a space.

        Returns:
            The score below which a new one is not among the `width` best.
        """
        here = dict(candidates)
        by_blank, by_space = here.get(BLANK, _NOTHING), here.get(self._space, _NOTHING)
        floor = math.inf
        for prefix in beam:
            prefix.next_blank = prefix.total + by_blank
            if prefix.unit == self._space:
                prefix.next_label = prefix.total + by_space
            else:
                # The root of units without a space has the blank for its unit, and no path that ends in a label.
                prefix.next_label = prefix.label + here.get(prefix.unit, _NOTHING)
            floor = min(floor, max(prefix.next_blank, prefix.next_label) + prefix.belief.score)
        return floor if len(beam) == self._width else _NOTHING

    def _extend(self, beam: list[_Prefix], candidates: list[tuple[int, float]], floor: float) -> list[_Prefix]:
        """Paths that add a unit to their text. Returns the prefixes that were not in the beam and are good enough."""
        new = []
        for prefix in beam:
            beliefs = prefix.belief.next
            for unit, score in candidates:
                if unit == BLANK:
                    continue
                if unit == prefix.unit:
                    if unit == self._space:
                        continue
                    score += prefix.blank
                else:
                    score += prefix.total
                child = prefix.children.get(unit)
                if child is not None and child.active:
                    child.next_label = _add(child.next_label, score)
                    continue
                belief = beliefs.get(unit) or self._scorer.extend(prefix.belief, unit)
                if score + belief.score <= floor:
                    continue
                if child is None:
                    child = _Prefix(prefix, unit, belief)
                child.next_label = score
                new.append(child)
        return new

    def _prune(self, beam: list[_Prefix], new: list[_Prefix]) -> list[_Prefix]:
        """The `width` best of the old and new prefixes, ready for the next frame."""
        reached = beam + new
        for prefix in reached:
            prefix.blank, prefix.label = prefix.next_blank, prefix.next_label
            prefix.next_blank = prefix.next_label = _NOTHING
            prefix.total = _add(prefix.blank, prefix.label)
            prefix.score = prefix.total + prefix.belief.score
        if len(reached) > self._width:
            reached.sort(key=attrgetter("score"), reverse=True)
            del reached[self._width :]
        for prefix in beam:
            prefix.active = False
        for prefix in reached:
            prefix.active = True
            if prefix.parent is not None:
                prefix.parent.children[prefix.unit] = prefix
        for prefix in beam:
            _forget(prefix)
        return reached

    def _texts(self, beam: list[_Prefix]) -> dict[tuple[int, ...], float]:
        """The labels of each text with its final score; texts that differ in a space at the end are one."""
        texts: dict[tuple[int, ...], float] = {}
        for prefix in beam:
            labels = _labels(prefix)
            if labels and labels[-1] == self._space:
                labels = labels[:-1]
            texts[labels] = _add(texts.get(labels, _NOTHING), prefix.total + self._scorer.end(prefix.belief))
        return self._once(texts) if self._units.phrases else texts

    def _once(self, texts: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
        """Each text with the likelier of its labels, where a phrase and its words may have been written the same."""
        best: dict[str, tuple[int, ...]] = {}
        scores: dict[str, float] = {}
        for labels in sorted(texts, key=texts.get, reverse=True):
            text = self._units.decode(labels)
            best.setdefault(text, labels)
            scores[text] = _add(scores.get(text, _NOTHING), texts[labels])
        return {best[text]: score for text, score in scores.items()}


def _candidates(log_probs: np.ndarray, cutoff: float) -> Iterable[list[tuple[int, float]]]:
    """Of every frame, the units that are tried, with their log posteriors."""
    for frame in np.asarray(log_probs, float):
        units = np.flatnonzero(frame >= frame.max() - cutoff)
        yield list(zip(units.tolist(), frame[units].tolist(), strict=True))


def _labels(prefix: _Prefix) -> tuple[int, ...]:
    labels = []
    while prefix.parent is not None:
        labels.append(prefix.unit)
        prefix = prefix.parent
    return tuple(reversed(labels))


def _forget(prefix: _Prefix) -> None:
    """Lets go of beginnings that nothing in the beam continues."""
    while not (prefix.active or prefix.children or prefix.parent is None):
        if prefix.parent.children.get(prefix.unit) is prefix:
            del prefix.parent.children[prefix.unit]
        prefix.belief.next.clear()
        prefix = prefix.parent


def _add(one: float, other: float) -> float:
    """The logarithm of the sum of two probabilities, from their logarithms."""
    if one < other:
        one, other = other, one
    if other <= one - 40.0:  # below the precision of a float, or both nothing
        return one
    return one + math.log1p(math.exp(other - one))
