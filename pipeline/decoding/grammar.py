"""Decoding by a grammar: the best of the sentences that can be said, and how badly even that one fits."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from pipeline.decoding.grammar_units import UnitGraph, spell_grammar
from pipeline.decoding.transcript import BLANK, Run, Transcript, spell
from pipeline.errors import InputError
from pipeline.grammar.word_automaton import Grammar
from pipeline.text import Units

DEFAULT_THRESHOLD = 0.15
"""The rejection from which nothing is answered; docs/grammars.md says how it was chosen."""


@dataclass(frozen=True)
class GrammarTranscript(Transcript):
    """A sentence of the grammar, or nothing where none fits; its confidence is 1 less the rejection.

    Attributes:
        rejection: how badly the nearest sentence fits, in 0..1.
        rejected: whether that is too badly: the text is empty, and so are the words.
        nearest: the nearest sentence, rejected or not; empty if nothing was heard that could be one.
    """

    rejection: float
    rejected: bool
    nearest: str

    is_scaled: ClassVar[bool] = True

    def unanswered(self) -> Self:
        """See `Transcript`."""
        return replace(super().unanswered(), rejected=True)

    def joined(self, other: Self) -> Self:
        """See `Transcript`; `nearest` is of all that was heard, the text of what was not rejected.

        The whole is rejected if both are. It fits as badly as the worse one of those that are not, if there are any.
        Where nothing was heard nothing is added.
        """
        if not (self.nearest and other.nearest):
            return self if self.nearest else other
        rejected = self.rejected and other.rejected
        rejection = max(each.rejection for each in (self, other) if each.rejected == rejected)
        return replace(
            super().joined(other),
            confidence=1 - rejection,
            rejection=rejection,
            rejected=rejected,
            nearest=f"{self.nearest} {other.nearest}",
        )


class GrammarDecoder:
    """Finds the sentence of a grammar that was said, by an acoustic model that knows nothing of the grammar.

    Args:
        units: of the model.
        frame_seconds: from one frame to the next.
        grammar: what can be said.
        weight: of the grammar's ln probabilities beside the model's; at 0 all sentences are alike.
        threshold: in 0..1, the rejection from which the answer is empty; above 1 nothing is rejected.

    Raises:
        InputError: the grammar has words that the units cannot spell, or a setting is out of its range.

    Example:
        decoder = GrammarDecoder(units, frame_seconds=0.03, grammar=load_grammar("configs/coffee_orders.jsgf"))
        decoder.decode(recognizer.log_probs(audio)).text
    """

    def __init__(
        self,
        units: Units,
        frame_seconds: float,
        grammar: Grammar,
        weight: float = 1.0,
        threshold: float = DEFAULT_THRESHOLD,
    ):
        if not 0 <= weight < np.inf:
            raise InputError(f"the grammar's weight: 0 or more wanted, found {weight}")
        if not 0 <= threshold < np.inf:
            raise InputError(f"the rejection's threshold: 0 or more wanted, found {threshold}")
        self._units, self._frame_seconds = units, frame_seconds
        self._weight, self._threshold = weight, threshold
        self._graph = spell_grammar(grammar, units)

    def decode(self, log_probs: np.ndarray) -> GrammarTranscript:
        """The transcript of one utterance: log_probs float [frames, units], of the true frames only."""
        nodes, said, score = best_path(log_probs, self._graph, self._weight)
        if score == -np.inf:
            return GrammarTranscript("", 0.0, (), rejection=1.0, rejected=True, nearest="")
        runs = _runs(nodes, said, log_probs, self._graph)
        transcript = spell(runs, log_probs, self._units, self._frame_seconds)
        last_word = round(transcript.words[-1].start / self._frame_seconds) if transcript.words else 0
        units = np.where(said, self._graph.units[nodes], BLANK)
        fit = _fit(log_probs, units) * _fit(log_probs[last_word:], units[last_word:])
        rejected = 1 - fit >= self._threshold
        heard = not rejected or bool((log_probs.argmax(axis=1) != BLANK).any())
        return GrammarTranscript(
            text="" if rejected else transcript.text,
            confidence=fit,
            words=() if rejected else transcript.words,
            rejection=1 - fit,
            rejected=rejected,
            nearest=transcript.text if heard else "",
        )


def _fit(log_probs: np.ndarray, path: np.ndarray) -> float:
    """How much of the free best path's probability a path has, in 0..1, frames with speech alone being counted.

    Each frame gives the ratio of the two units' posteriors, and a frame has speech if either path says a unit then:
    so neither silence around the speech counts, nor does one bad frame decide.
    """
    best = log_probs.max(axis=1)
    spoken = (path != BLANK) | (log_probs.argmax(axis=1) != BLANK)
    if not spoken.any():
        return 1.0
    ratios = np.exp(log_probs[np.arange(len(path)), path] - best)
    return float(ratios[spoken].mean())


def _runs(nodes: np.ndarray, said: np.ndarray, log_probs: np.ndarray, graph: UnitGraph) -> list[Run]:
    """The units on the path; a node is left before it is met again, so that its frames are one run."""
    starts = np.flatnonzero(said & (np.diff(np.where(said, nodes, -1), prepend=-1) != 0))
    runs = []
    for start in starts:
        node = nodes[start]
        unit = int(graph.units[node])
        length = int(np.argmin(np.append(said[start:] & (nodes[start:] == node), False)))
        runs.append(Run(unit, int(start), int(start) + length, float(log_probs[start : start + length, unit].max())))
    return runs


def best_path(log_probs: np.ndarray, graph: UnitGraph, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Viterbi's path through the grammar's nodes and, around each, the blanks of CTC (Graves et al. 2006).

    Args:
        log_probs: float [frames, units], of the true frames only.
        graph: of the grammar.
        weight: of the grammar's ln probabilities beside the model's.

    Returns:
        nodes: int [frames], the node that each frame says or is silent after; empty if no sentence fits.
        said: bool [frames], whether it is said then, and not the blank.
        score: ln of the path's probability; -inf if no sentence fits into the frames.
    """
    steps, finals = _times(weight, graph.weights), _times(weight, graph.finals)
    said, silent = _forward(log_probs.astype(np.float32), graph, steps)
    ends = np.maximum(said[-1], silent[-1]) + finals
    node = int(ends.argmax())
    score = float(ends[node])
    nodes, is_said = np.zeros(len(log_probs), int), np.zeros(len(log_probs), bool)
    if score == -np.inf:
        return nodes[:0], is_said[:0], score
    saying = said[-1, node] >= silent[-1, node]
    for time in range(len(log_probs) - 1, -1, -1):
        nodes[time], is_said[time] = node, saying
        if saying:
            edges = graph.edges_of(node)
            sources, repeats = graph.sources[edges], graph.repeats[edges]
            arriving = steps[edges] + np.maximum(silent[time, sources], np.where(repeats, -np.inf, said[time, sources]))
            best = int(arriving.argmax())
            if said[time, node] >= arriving[best]:
                continue
            node, from_blank_only = int(sources[best]), repeats[best]
            saying = not from_blank_only and said[time, node] >= silent[time, node]
        else:
            saying = said[time, node] >= silent[time, node]
    return nodes, is_said, score


def _forward(log_probs: np.ndarray, graph: UnitGraph, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln of the best path's probability that ends in a node and in the blank after it, both [1 + frames, nodes].

    Row 0 stands for the time before the first frame, when only the silence before the first node is possible.
    """
    frames, count = len(log_probs), len(graph.units)
    said = np.full((frames + 1, count), -np.inf, np.float32)
    silent = said.copy()
    silent[0, 0] = 0.0
    # Steps to a different unit start in a node or the blank after it, to the same unit in the blank alone.
    starts = np.zeros(2 * count, np.float32)
    blank, either = starts[:count], starts[count:]
    where = graph.sources + np.where(graph.repeats, 0, count)
    by_node = log_probs[:, graph.units]
    for time in range(frames):
        blank[:] = silent[time]
        np.maximum(said[time], silent[time], out=either)
        arriving = np.maximum.reduceat(starts[where] + steps, graph.first_edges)
        np.add(np.maximum(said[time], arriving), by_node[time], out=said[time + 1])
        np.add(either, log_probs[time, BLANK], out=silent[time + 1])
    return said, silent


def _times(weight: float, log_weights: np.ndarray) -> np.ndarray:
    """The weights scaled, what is impossible remaining so."""
    possible = np.isfinite(log_weights)
    return np.multiply(log_weights, np.float32(weight), where=possible, out=log_weights.copy())
