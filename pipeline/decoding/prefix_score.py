"""What a language model and hotwords think of a beginning of a text, unit by unit."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from pipeline.decoding.hotwords import Hotwords, Matches
from pipeline.decoding.language_model import LanguageModel
from pipeline.text import Units


@dataclass(slots=True, eq=False)
class Belief:
    """About one beginning: `score` in nats; `next` remembers the beliefs about its continuations, by unit.

    `settled` is the part of the score that no continuation takes back.
    """

    score: float = 0.0
    settled: float = 0.0
    state: Hashable = None
    word: str = ""
    known: bool = True
    matches: Matches = ()
    next: dict[int, "Belief"] = field(default_factory=dict)


class PrefixScorer:
    """Scores in nats: `weight` times the language model's, `bonus` a word, and the hotwords' boosts.

    A word of character units is scored where it ends, or as soon as no word of the language model begins like it: it
    is unknown then, however it goes on. The bonus is for words that a language model scores: each costs some
    probability, so that without it texts of few words win.
    """

    def __init__(
        self, units: Units, language_model: LanguageModel | None, weight: float, bonus: float, hotwords: Hotwords
    ):
        self._symbols = ["", *units.symbols]
        self._words = units.kind == "words"
        self._model, self._weight, self._bonus = language_model, weight, bonus
        self._hotwords = hotwords
        self._silent = language_model is None and not hotwords
        known = () if self._words or language_model is None else language_model.words
        self._beginnings = {word[:length] for word in known for length in range(len(word) + 1)}

    def start(self) -> Belief:
        state = None if self._model is None else self._model.start()
        return Belief(state=state, matches=self._hotwords.start())

    def extend(self, belief: Belief, unit: int) -> Belief:
        """The belief about the same text with a unit more; two spaces never follow each other."""
        if self._silent:
            belief.next[unit] = belief
            return belief
        symbol = self._symbols[unit]
        settled, state, word, known = belief.settled, belief.state, belief.word, belief.known
        if self._words:
            for each in symbol.split():
                gain, state = self._word(state, each)
                settled += gain
        elif symbol != " ":
            word += symbol
            if known and self._beginnings and word not in self._beginnings:
                known = False
                gain, state = self._word(state, word)
                settled += gain
        else:
            if known:
                gain, state = self._word(state, word)
                settled += gain
            word, known = "", True
        pending, matches = 0.0, belief.matches
        if self._hotwords:
            for each in symbol.split() if self._words else [symbol]:
                boost, matches = self._hotwords.extend(matches, each)
                settled += boost
            pending = self._hotwords.pending(matches)
        after = Belief(settled + pending, settled, state, word, known, matches)
        belief.next[unit] = after
        return after

    def end(self, belief: Belief) -> float:
        """The whole text's score, if it ends here."""
        settled, state = belief.settled + self._hotwords.end(belief.matches), belief.state
        if self._model is None:
            return settled
        if belief.word and belief.known:
            gain, state = self._word(state, belief.word)
            settled += gain
        return settled + self._weight * self._model.end(state)

    def _word(self, state: Hashable, word: str) -> tuple[float, Hashable]:
        if self._model is None:
            return 0.0, state
        score, state = self._model.score(state, word)
        return self._weight * score + self._bonus, state
