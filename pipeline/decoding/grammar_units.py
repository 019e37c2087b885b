"""A grammar spelled in a model's units: the graph through which a grammar's decoder searches."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.decoding.transcript import BLANK
from pipeline.errors import InputError
from pipeline.grammar.word_automaton import Arc, Grammar
from pipeline.text import Units

MAX_EDGES = 2_000_000
"""How many steps between nodes there may be: each costs time in every frame."""


@dataclass(frozen=True)
class UnitGraph:
    """Nodes, each a unit that is said, and the steps between them. Node 0 is the silence before the first.

    Attributes:
        units: int [nodes], the unit of each.
        sources: int [edges], the node that a step comes from; the edges are sorted by the node that they lead to.
        weights: float32 [edges], ln of the probability of the word that ends before the step.
        repeats: bool [edges], whether a step leads to the unit that it comes from.
        first_edges: int [nodes], where in `sources` a node's own begin.
        finals: float32 [nodes], ln of the probability that the sentence ends after the node, with its last word's.
    """

    units: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    repeats: np.ndarray
    first_edges: np.ndarray
    finals: np.ndarray

    def edges_of(self, node: int) -> slice:
        """Those that lead to a node."""
        last = self.first_edges[node + 1] if node + 1 < len(self.first_edges) else len(self.sources)
        return slice(self.first_edges[node], last)


def spell_grammar(grammar: Grammar, units: Units) -> UnitGraph:
    """The words that leave a state become a tree of units, in which common beginnings are shared.

    Raises:
        InputError: words that the units cannot spell, or far too large a grammar.
    """
    _check(grammar, units)
    return _Speller(_with_phrases(grammar, units) if units.phrases else grammar, units).graph()


def _with_phrases(grammar: Grammar, units: Units) -> Grammar:
    """With an arc for each phrase that can be said from a state on, and none for words that have no unit of their own.

    Raises:
        InputError: no sentence is left.
    """
    own = set(units.symbols)
    arcs = []
    for each in grammar.arcs:
        phrases = {
            (phrase, target): weight
            for phrase in units.phrases
            for target, weight in _ends(grammar, each, phrase.split()).items()
        }
        found = [Arc(phrase, weight, target) for (phrase, target), weight in phrases.items()]
        arcs.append((*(arc for arc in each if arc.word in own), *found))
    reached, pending = {grammar.start}, [grammar.start]
    while pending:
        new = {arc.target for arc in arcs[pending.pop()]} - reached
        reached |= new
        pending += new
    if reached.isdisjoint(grammar.finals):
        raise InputError(f"{grammar.name}: a sentence of the model's words and phrases wanted, found none")
    return replace(grammar, arcs=tuple(arcs))


def _ends(grammar: Grammar, arcs: Iterable[Arc], words: list[str]) -> dict[int, float]:
    """The states in which the words end that begin with one of the arcs, and ln of the likeliest way's probability."""
    ends: dict[int, float] = {}
    for arc in arcs:
        if arc.word == words[0]:
            rest = _ends(grammar, grammar.arcs[arc.target], words[1:]) if words[1:] else {arc.target: 0.0}
            for target, weight in rest.items():
                ends[target] = max(ends.get(target, -np.inf), arc.weight + weight)
    return ends


def _check(grammar: Grammar, units: Units) -> None:
    known = units.words if units.kind == "words" else set(units.symbols)
    # Unlike transcripts, a grammar may not have its unknown words stood for by <other>: they could not be told apart.
    bad = [word for word in grammar.words() if not known.issuperset([word] if units.kind == "words" else word)]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        shown = ", ".join(repr(word) for word in bad[:5])
        raise InputError(f"{grammar.name}: words that the model's {units.kind} spell wanted, found {shown}{more}")
    follows = any(grammar.arcs[arc.target] for arcs in grammar.arcs for arc in arcs)
    if units.kind == "characters" and " " not in known and follows:
        raise InputError(f"{grammar.name}: single words wanted for a model without a space, found sentences of several")


class _Speller:
    def __init__(self, grammar: Grammar, units: Units):
        self._grammar, self._units = grammar, units
        self._spaced = units.kind == "characters" and " " in units.symbols
        self._labels = [BLANK]
        self._edges = 0
        self._sources: list[list[int]] = [[]]  # of each node those before it, and the weight of each step
        self._weights: list[list[float]] = [[]]
        self._finals: dict[int, float] = {}
        self._ends: list[tuple[int, Arc]] = []
        self._roots: list[list[int]] = []  # of each state the first nodes of its words

    def graph(self) -> UnitGraph:
        entrances = [self._add_tree(state) for state in range(len(self._grammar.arcs))]
        for node in self._roots[self._grammar.start]:
            self._add_edge(0, node, 0.0)
        if self._grammar.start in self._grammar.finals:
            self._finals[0] = self._grammar.finals[self._grammar.start]
        for node, arc in self._ends:
            for following in entrances[arc.target]:
                self._add_edge(node, following, arc.weight)
            if arc.target in self._grammar.finals:
                final = arc.weight + self._grammar.finals[arc.target]
                self._finals[node] = max(self._finals.get(node, -np.inf), final)
        return self._packed()

    def _add_tree(self, state: int) -> list[int]:
        """Gives the nodes with which to go on from the state: a space, or the words' first units."""
        arcs = self._grammar.arcs[state]
        children: dict[tuple[int, int], int] = {}
        space = self._add_node(self._units.encode(" ")[0]) if self._spaced and arcs else None
        self._roots.append([])
        for arc in arcs:
            node = -1
            for unit in self._units.encode(arc.word):
                if (node, unit) not in children:
                    child = children[node, unit] = self._add_node(unit)
                    if node >= 0:
                        self._add_edge(node, child, 0.0)
                    else:
                        self._roots[-1].append(child)
                        if space is not None:
                            self._add_edge(space, child, 0.0)
                node = children[node, unit]
            self._ends.append((node, arc))
        return self._roots[-1] if space is None else [space]

    def _add_node(self, unit: int) -> int:
        self._labels.append(unit)
        self._sources.append([])
        self._weights.append([])
        return len(self._labels) - 1

    def _add_edge(self, source: int, target: int, weight: float) -> None:
        self._edges += 1
        if self._edges > MAX_EDGES:
            raise InputError(f"{self._grammar.name}: at most {MAX_EDGES} steps between units wanted, found more")
        self._sources[target].append(source)
        self._weights[target].append(weight)

    def _packed(self) -> UnitGraph:
        for sources, weights in zip(self._sources, self._weights, strict=True):
            if not sources:  # node 0, and the space before a sentence: nothing leads there
                sources.append(0)
                weights.append(-np.inf)
        counts = np.array([len(sources) for sources in self._sources])
        finals = np.full(len(counts), -np.inf, np.float32)
        finals[list(self._finals)] = list(self._finals.values())
        units = np.array(self._labels)
        sources = np.concatenate([np.array(sources) for sources in self._sources])
        return UnitGraph(
            units=units,
            sources=sources,
            weights=np.concatenate([np.array(weights, np.float32) for weights in self._weights]),
            repeats=units[sources] == np.repeat(units, counts),
            first_edges=np.cumsum(counts) - counts,
            finals=finals,
        )
