"""What the rules of a grammar expand to: alternatives, sequences, repeats, and the automaton that says the same."""

import math
from dataclasses import dataclass

from pipeline.errors import InputError
from pipeline.grammar.word_automaton import Grammar, WordGraph

MAX_PARTS = 200_000
"""How many parts a grammar may have once each rule is written out wherever it is used."""
MAX_DEPTH = 200
"""How deep rules may stand in rules, each bracket counted: short of Python's own limit."""


@dataclass(frozen=True)
class Words:
    """Words that are said one after the other: a token; a quoted one may be several, a removed one none."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """`<name>`, which is written in line `line`."""

    name: str
    line: int


@dataclass(frozen=True)
class Sequence:
    """One part after the other; without parts it is `<NULL>`."""

    parts: tuple["Expansion", ...]


@dataclass(frozen=True)
class Choice:
    """One of the options, each with its probability; without options it is `<VOID>`, which nobody can say."""

    options: tuple[tuple["Expansion", float], ...]


@dataclass(frozen=True)
class Repeat:
    """Once or more, each time as likely the last as not."""

    part: "Expansion"


Expansion = Words | Reference | Sequence | Choice | Repeat
NULL, VOID = Sequence(()), Choice(())


@dataclass(frozen=True)
class Rule:
    """What `<name>` stands for, and the line that says so."""

    expansion: Expansion
    public: bool
    line: int


def expand(rules: dict[str, Rule], name: str) -> Grammar:
    """The grammar whose sentences are those of all public rules, each rule as likely as the others.

    Raises:
        InputError: a rule is missing, is said within itself, or nothing can be said; `name` is what it calls the file.
    """
    return _Expander(rules, name).grammar()


class _Expander:
    """Writes expansions between two states of a word graph, after Thompson (1968).

    A rule is written out wherever it is used, because what follows differs; where it leads to the same state it is
    shared, and that makes a rule that ends in itself a loop.
    """

    def __init__(self, rules: dict[str, Rule], name: str):
        self._rules, self._name = rules, name
        self._graph = WordGraph()
        self._written: dict[tuple[str, int], int] = {}  # (rule, the state it leads to) -> the state it begins in
        self._within: list[str] = []  # rules that are being written
        self._parts = self._depth = 0

    def grammar(self) -> Grammar:
        public = [name for name, rule in self._rules.items() if rule.public]
        for name, rule in self._rules.items():  # every rule, that a slip in an unused one is told as well
            self._check(rule.expansion, f"<{name}>")
        for name in public:
            entry = self._state_after(self._graph.start, -math.log(len(public)))
            self._write(Reference(name, self._rules[name].line), entry, self._graph.end)
        return self._graph.grammar(self._name)

    def _check(self, expansion: Expansion, within: str) -> None:
        if isinstance(expansion, Reference) and expansion.name not in self._rules:
            self._fail(f"a rule that is defined wanted, found <{expansion.name}> in {within}", expansion.line)
        for part in _parts_of(expansion):
            self._check(part, within)

    def _write(self, expansion: Expansion, entry: int, leaving: int, log_weight: float = 0.0) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InputError(f"{self._name}: at most {MAX_PARTS} parts with all rules written out wanted, found more")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InputError(f"{self._name}: at most {MAX_DEPTH} rules and brackets in each other wanted, found more")
        match expansion:
            case Words((word,)):
                self._graph.add_word(entry, word, leaving, log_weight)
            case Words(words):
                self._write(Sequence(tuple(Words((word,)) for word in words)), entry, leaving, log_weight)
            case Sequence(parts):
                self._write_sequence(parts, self._state_after(entry, log_weight), leaving)
            case Choice(options):
                for option, probability in options:
                    if probability:  # of weight 0 is what is never said
                        self._write(option, entry, leaving, log_weight + math.log(probability))
            case Repeat(part):
                first, last = self._state_after(entry, log_weight), self._graph.add_state()
                self._write(part, first, last)
                self._graph.add_empty(last, first, -math.log(2))
                self._graph.add_empty(last, leaving, -math.log(2))
            case Reference():
                self._write_rule(expansion, entry, leaving, log_weight)
        self._depth -= 1

    def _write_sequence(self, parts: tuple[Expansion, ...], entry: int, leaving: int) -> None:
        if not parts:
            self._graph.add_empty(entry, leaving, 0.0)
            return
        for part in parts[:-1]:
            between = self._graph.add_state()
            self._write(part, entry, between)
            entry = between
        self._write(parts[-1], entry, leaving)

    def _write_rule(self, reference: Reference, entry: int, leaving: int, log_weight: float) -> None:
        place = (reference.name, leaving)
        if place not in self._written:
            if reference.name in self._within:
                problem = f"<{reference.name}> within itself at its very end only wanted, found it elsewhere"
                self._fail(problem, reference.line)
            self._written[place] = self._graph.add_state()
            self._within.append(reference.name)
            self._write(self._rules[reference.name].expansion, self._written[place], leaving)
            self._within.pop()
        self._graph.add_empty(entry, self._written[place], log_weight)

    def _state_after(self, state: int, log_weight: float) -> int:
        """A state of its own, so that no way back to it passes through `state`."""
        after = self._graph.add_state()
        self._graph.add_empty(state, after, log_weight)
        return after

    def _fail(self, problem: str, line: int) -> None:
        raise InputError(f"{self._name}: line {line}: {problem}")


def _parts_of(expansion: Expansion) -> tuple[Expansion, ...]:
    match expansion:
        case Sequence(parts):
            return parts
        case Choice(options):
            return tuple(option for option, _ in options)
        case Repeat(part):
            return (part,)
    return ()
