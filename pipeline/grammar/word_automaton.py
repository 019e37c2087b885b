"""What can be said, as a weighted automaton over words."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from pipeline.errors import InputError

MAX_ARCS = 500_000
"""How many arcs an automaton may have: some 100 MB."""
MAX_SAMPLED_WORDS = 200
"""A random sentence that is longer is begun anew."""
TINY = 1e-300
"""What probabilities too small for a float are taken as, so that whatever may be said stays possible."""
NEGLIGIBLE = 1e-9
"""A probability that is not followed around a circle of empty steps again."""
MAX_VISITS = 100
"""How often a circle of empty steps is followed at most."""


@dataclass(frozen=True)
class Arc:
    """A word that may be said next, ln of its probability, and the state after it."""

    word: str
    weight: float
    target: int


@dataclass(frozen=True)
class Grammar:
    """The sentences that can be said: an automaton without empty arcs, in which every state leads to an end.

    Attributes:
        name: what errors call it; its file.
        arcs: of each state. The words out of a state, and ending there, have probabilities that add up to 1.
        finals: the states where a sentence may end, and ln of the probability that it does.
        start: the state where a sentence begins.
    """

    name: str
    arcs: tuple[tuple[Arc, ...], ...]
    finals: dict[int, float]
    start: int = 0

    def words(self) -> list[str]:
        """All words, sorted."""
        return sorted({arc.word for arcs in self.arcs for arc in arcs})

    def accepts(self, text: str) -> bool:
        """Whether the text, words with spaces between, is a sentence."""
        states = {self.start}
        for word in text.split():
            states = {arc.target for state in states for arc in self.arcs[state] if arc.word == word}
        return any(state in self.finals for state in states)

    def sentences(self, limit: int | None = None) -> Iterator[str]:
        """Every sentence once, the shortest first; the first `limit` of them, for a grammar may have no longest."""
        count = 0
        endings = [set(self.finals)]  # [n]: the states from which a sentence may end after n more words
        while endings[-1]:
            for sentence in self._sentences_as_long_as(endings):
                if count == limit:
                    return
                yield sentence
                count += 1
            before = {state for state, arcs in enumerate(self.arcs) if any(arc.target in endings[-1] for arc in arcs)}
            endings.append(before)

    def _sentences_as_long_as(self, endings: list[set[int]]) -> Iterator[str]:
        length = len(endings) - 1
        pending = [((), {self.start} & endings[length])]
        while pending:
            words, states = pending.pop()
            if len(words) == length:
                if states:
                    yield " ".join(words)
                continue
            following = defaultdict(set)
            for arc in (arc for state in states for arc in self.arcs[state]):
                if arc.target in endings[length - len(words) - 1]:
                    following[arc.word].add(arc.target)
            pending += [((*words, word), targets) for word, targets in sorted(following.items(), reverse=True)]

    def sample(self, random: Random) -> str:
        """A random sentence, as likely as the grammar's weights say.

        Raises:
            InputError: sentences are almost always of more than 200 words.
        """
        for _ in range(100):
            words, state = [], self.start
            while len(words) <= MAX_SAMPLED_WORDS:
                choices = [*self.arcs[state], None]
                weights = [math.exp(arc.weight) for arc in self.arcs[state]]
                arc = random.choices(choices, [*weights, math.exp(self.finals.get(state, -math.inf))])[0]
                if arc is None:
                    return " ".join(words)
                words.append(arc.word)
                state = arc.target
        raise InputError(f"{self.name}: sentences of up to {MAX_SAMPLED_WORDS} words wanted, found mostly longer")


class WordGraph:
    """An automaton that is being written: words and empty steps between states, each with ln of its probability."""

    def __init__(self):
        self._words: list[list[tuple[str, int, float]]] = []
        self._empty: list[list[tuple[int, float]]] = []
        self.start, self.end = self.add_state(), self.add_state()

    def add_state(self) -> int:
        self._words.append([])
        self._empty.append([])
        return len(self._words) - 1

    def add_word(self, state: int, word: str, target: int, weight: float) -> None:
        self._words[state].append((word, target, weight))

    def add_empty(self, state: int, target: int, weight: float) -> None:
        self._empty[state].append((target, weight))

    def grammar(self, name: str) -> Grammar:
        """The same sentences without empty steps and without states that lead nowhere.

        Raises:
            InputError: there is no sentence, or there are too many arcs.
        """
        useful = self._useful()
        if self.start not in useful:
            raise InputError(f"{name}: a sentence that can be said wanted, found none")
        numbers = {self.start: 0}  # of the states that are kept, in the order in which they are met
        arcs, finals, count = [], {}, 0
        for state in (met := [self.start]):
            chances, ending = self._following(state, useful)
            count += len(chances)
            if count > MAX_ARCS:
                raise InputError(f"{name}: at most {MAX_ARCS} arcs with all rules written out wanted, found more")
            total = sum(chances.values()) + ending
            for _, target in chances:
                if target not in numbers:
                    numbers[target] = len(numbers)
                    met.append(target)
            arcs.append(
                tuple(Arc(word, math.log(chance / total), numbers[to]) for (word, to), chance in chances.items())
            )
            if ending:
                finals[numbers[state]] = math.log(ending / total)
        return Grammar(name, tuple(arcs), finals)

    def _following(self, state: int, useful: set[int]) -> tuple[dict[tuple[str, int], float], float]:
        """Of each (word, target) that may come next from a state its probability, and that of the sentence's end."""
        chances: dict[tuple[str, int], float] = defaultdict(float)
        reached = self._reached(state, useful)
        for passed, chance in reached.items():
            for word, target, weight in self._words[passed]:
                if target in useful:
                    chances[word, target] += max(chance * math.exp(weight), TINY)
        return chances, reached.get(self.end, 0.0)

    def _reached(self, state: int, useful: set[int]) -> dict[int, float]:
        """The states that empty steps lead to, with the sum of the probabilities of all ways there.

        Steps may run in circles, ((x*)*): then the sum is a series, and is followed until what is left is negligible
        (Mohri 2002, generic single-source shortest distance).
        """
        reached: dict[int, float] = defaultdict(float)
        visits: dict[int, int] = defaultdict(int)
        arriving, pending = {state: 1.0}, deque([state])
        while pending:
            passed = pending.popleft()
            chance = arriving.pop(passed)
            reached[passed] += chance
            visits[passed] += 1
            if visits[passed] > 1 and (chance < NEGLIGIBLE or visits[passed] > MAX_VISITS):
                continue
            for target, weight in self._empty[passed]:
                if target in useful:
                    if target not in arriving:
                        pending.append(target)
                    arriving[target] = arriving.get(target, 0.0) + max(chance * math.exp(weight), TINY)
        return reached

    def _useful(self) -> set[int]:
        """The states that the start leads to and that lead to the end."""
        forward = [
            {target for _, target, _ in words} | {target for target, _ in empty}
            for words, empty in zip(self._words, self._empty, strict=True)
        ]
        backward: list[set[int]] = [set() for _ in forward]
        for state, targets in enumerate(forward):
            for target in targets:
                backward[target].add(state)
        return _connected(self.start, forward) & _connected(self.end, backward)


def _connected(state: int, neighbours: list[set[int]]) -> set[int]:
    found, pending = {state}, [state]
    while pending:
        new = neighbours[pending.pop()] - found
        found |= new
        pending += new
    return found
