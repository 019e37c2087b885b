"""Words and phrases that a decoding is told to expect: a trie of their units, so that a beginning already counts."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.errors import InputError
from pipeline.text import Units


@dataclass(slots=True, eq=False)
class Node:
    """A beginning of hotwords: `whole` is the boost of one that ends here, `partial` what longer ones give so far."""

    whole: float = 0.0
    partial: float = 0.0
    children: dict[str, "Node"] = field(default_factory=dict)


Matches = tuple[Node, ...]
"""How far each match has come that began at one of the latest words' starts."""


class Hotwords:
    """Boosts, in nats, of the words and phrases in a text as it grows.

    A hotword counts as whole words only: "mocha" neither in "mochas" nor in "hot mocha" as "ot mocha". Its boost is
    spread evenly over its units, given as they come, and taken back when the text goes another way.

    Args:
        hotwords: words or phrases, or a dict of them with how many times `weight` each is worth.
        weight: nats, above 0, for one that is there.
        units: of the model.

    Raises:
        InputError: a hotword without words, or that the units cannot spell; a weight that is not above 0.
    """

    def __init__(self, hotwords: Mapping[str, float] | Iterable[str], weight: float, units: Units):
        self._root = Node()
        self._words = units.kind == "words"
        self._steps: dict[tuple[Matches, str], tuple[float, Matches]] = {}
        weights = hotwords if isinstance(hotwords, Mapping) else dict.fromkeys(hotwords, 1.0)
        for hotword, share in weights.items():
            boost = share * weight
            if not 0 < boost < math.inf:
                raise InputError(f"hotword {hotword!r}: a weight above 0 wanted, found {share!r} times {weight!r}")
            self._add(hotword, boost, units)

    def _add(self, hotword: str, boost: float, units: Units) -> None:
        symbols = hotword.split() if self._words else list(" ".join(hotword.split()))
        known = units.words if self._words else set(units.symbols)
        if not symbols:
            raise InputError(f"hotword {hotword!r}: at least one word wanted, found none")
        for symbol in symbols:
            if symbol not in known:
                raise InputError(f"hotword {hotword!r}: the model's units cannot spell {symbol!r}")
        node = self._root
        for depth, symbol in enumerate(symbols, start=1):
            node = node.children.setdefault(symbol, Node())
            if depth < len(symbols):
                node.partial = max(node.partial, boost * depth / len(symbols))
        node.whole = max(node.whole, boost)

    def __bool__(self) -> bool:
        return bool(self._root.children)

    def start(self) -> Matches:
        return (self._root,)

    def extend(self, matches: Matches, symbol: str) -> tuple[float, Matches]:
        """The boost of the hotwords that are now complete for good, and how far the others have come."""
        step = self._steps.get((matches, symbol))
        if step is None:
            step = self._steps[matches, symbol] = self._extend(matches, symbol)
        return step

    def _extend(self, matches: Matches, symbol: str) -> tuple[float, Matches]:
        further = tuple(node.children[symbol] for node in matches if symbol in node.children)
        if self._words:
            return sum(node.whole for node in further), (*further, self._root)
        if symbol == " ":
            return self.end(matches), (*further, self._root)
        return 0.0, further

    def pending(self, matches: Matches) -> float:
        """What the matches are worth that may yet fail: the best one's boost so far."""
        if self._words:
            return max(node.partial for node in matches)
        return max((max(node.partial, node.whole) for node in matches), default=0.0)

    def end(self, matches: Matches) -> float:
        """The boost of the hotwords that are complete because the word ends here."""
        return 0.0 if self._words else sum(node.whole for node in matches)
