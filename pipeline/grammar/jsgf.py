"""Grammars in JSGF, the JSpeech Grammar Format (W3C Note, 5 June 2000), read into their rules."""

import re
from pathlib import Path
from typing import NoReturn

from pipeline.errors import InputError
from pipeline.grammar.expansions import NULL, VOID, Choice, Expansion, Reference, Repeat, Rule, Sequence, Words, expand
from pipeline.grammar.word_automaton import Grammar
from pipeline.text import normalize

MAX_NESTING = 50
"""How deep brackets may stand in each other: far beyond any grammar's need, and short of Python's own limit."""

# In this order: what is found first at a place is what stands there.
_TOKEN = re.compile(
    r"""
      (?P<skip>     \s+ | //[^\n]* | /\*.*?\*/ )
    | (?P<weight>   /\s*(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)[fFdD]?\s*/ )
    | (?P<rule>     <\s*(?P<name>[^<>\s"]+)\s*> )
    | (?P<quoted>   "(?P<inside>(?:[^"\\\n]|\\.)*)" )
    | (?P<tag>      \{(?:[^{}\\]|\\.)*\} )
    | (?P<mark>     [;=|*+()\[\]] )
    | (?P<word>     [^\s;=|*+<>()\[\]{}/"]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_HEADER = re.compile(r"#JSGF\s+V\d+(\.\d+)?(\s+[^\s;]+){0,2}\s*;")
_UNFINISHED = {"/": "a weight between slashes, or the end */ of a comment", "<": "a rule's name between < and >"}
_UNFINISHED |= {'"': "a closing quote", "{": "the } of a tag"}


def load_grammar(path: str | Path, text: dict | None = None) -> Grammar:
    """The grammar of a JSGF file; a sentence of any of its public rules is a sentence of it.

    Args:
        path: a file in UTF-8.
        text: how the model's transcripts were normalized, arguments for `pipeline.text.normalize`: the grammar's words
            are spelled the same way. Left out, they are lowercased.

    Raises:
        InputError: the file is missing, is not JSGF, or says nothing; the message names the line.

    Example:
        load_grammar("configs/coffee_orders.jsgf").accepts("brew a small latte")
    """
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: a grammar wanted, {(error.strerror or str(error)).lower()}") from error
    try:
        content = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise InputError(f"{path}: line {line}: text in UTF-8 wanted, found bytes that are not") from error
    return parse_grammar(content, str(path), text)


def parse_grammar(content: str, name: str = "grammar", text: dict | None = None) -> Grammar:
    """The grammar that JSGF text describes; `name` is what errors call it. See `load_grammar`."""
    rules = _Parser(content, name, text or {}).rules()
    if not any(rule.public for rule in rules.values()):
        raise InputError(f"{name}: at least one public rule wanted ('public <order> = ...;'), found none")
    grammar = expand(rules, name)
    if not grammar.words():
        raise InputError(f"{name}: a grammar that says something wanted, found one without words")
    return grammar


class _Parser:
    """Recursive descent over the tokens; the productions are those of the Note's sections 3 and 4."""

    def __init__(self, content: str, name: str, text: dict):
        self._content, self._name, self._text = content, name, text
        self._depth = 0
        self._token: re.Match | None = None  # the next one, and where it ends and stands
        self._end, self._line = 0, 1

    def rules(self) -> dict[str, Rule]:
        self._header()
        rules: dict[str, Rule] = {}
        while self._token is not None:
            line = self._line
            if self._takes("import"):
                self._fail("rules of this file only wanted, found an import: copy the rules that it names", line)
            public = self._takes("public")
            name = self._rule_name("a rule ('<name> = ...;')")
            if name in rules:
                self._fail(f"each rule once wanted, found <{name}> again (first in line {rules[name].line})", line)
            if name in ("NULL", "VOID"):
                self._fail(f"a rule's own name wanted, <{name}> has its meaning already", line)
            self._expect("=", f"'=' after <{name}>")
            rules[name] = Rule(self._choice(), public, line)
            self._expect(";", f"';' at the end of <{name}> (line {line})")
        return rules

    def _header(self) -> None:
        header = _HEADER.match(self._content)
        if not header:
            found = repr(self._content.strip().split("\n")[0][:40]) if self._content.strip() else "an empty file"
            self._fail(f"'#JSGF V1.0;' at the start wanted, found {found}", 1)
        self._end, self._line = header.end(), header.group().count("\n") + 1
        self._next()
        if not self._takes("grammar"):
            self._fail(f"'grammar name;' after the header wanted, found {self._found()}")
        if self._token is None or self._token.lastgroup != "word":
            self._fail(f"the grammar's name wanted, found {self._found()}")
        self._package = self._token["word"]
        self._next()
        self._expect(";", "';' after the grammar's name")

    def _choice(self) -> Expansion:
        line = self._line
        options, weights = [], []
        while True:
            weights.append(self._weight())
            options.append(self._sequence())
            if not self._takes("|"):
                break
        given = [weight for weight in weights if weight is not None]
        if given and len(given) < len(weights):
            self._fail(f"a weight for each alternative or for none wanted, found {len(given)} of {len(weights)}", line)
        total = sum(given) if given else len(weights)
        if not 0 < total < float("inf"):
            self._fail(f"weights that add up to a number above 0 wanted, found {total:g}", line)
        if len(options) == 1:
            return options[0]
        return Choice(tuple(zip(options, [weight / total for weight in given or [1] * len(options)], strict=True)))

    def _weight(self) -> float | None:
        if self._token is None or not self._token["weight"]:
            return None
        weight = float(self._token["number"])
        self._next()
        return weight

    def _sequence(self) -> Expansion:
        parts = [self._repeated()]
        while self._token is not None and (self._token.lastgroup not in ("mark", "weight") or self._at("(", "[")):
            parts.append(self._repeated())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self) -> Expansion:
        part = self._atom()
        self._skip_tags()
        if self._takes("*"):
            part = _optional(Repeat(part))
        elif self._takes("+"):
            part = Repeat(part)
        self._skip_tags()
        return part

    def _skip_tags(self) -> None:
        """What a tag says is the application's business."""
        while self._token is not None and self._token["tag"]:
            self._next()

    def _atom(self) -> Expansion:
        if self._at("(", "["):
            return self._group()
        token, line = self._token, self._line
        if token is None or token.lastgroup not in ("word", "quoted", "rule"):
            self._fail(f"a word, a <rule>, '(' or '[' wanted, found {self._found()}")
        if token["rule"]:
            return self._reference(line)
        self._next()
        said = token["word"] or re.sub(r"\\(.)", r"\1", token["inside"])
        return Words(tuple(normalize(said, **self._text).split()))

    def _group(self) -> Expansion:
        opening, line = self._token["mark"], self._line
        self._depth += 1
        if self._depth > MAX_NESTING:
            self._fail(f"at most {MAX_NESTING} brackets in each other wanted, found more")
        self._next()
        inside = self._choice()
        closing = ")" if opening == "(" else "]"
        self._expect(closing, f"'{closing}' for the '{opening}' of line {line}")
        self._depth -= 1
        return inside if opening == "(" else _optional(inside)

    def _reference(self, line: int) -> Expansion:
        name = self._rule_name("a rule")
        special = {"NULL": NULL, "VOID": VOID}
        return special[name] if name in special else Reference(name, line)

    def _rule_name(self, wanted: str) -> str:
        if self._token is None or not self._token["rule"]:
            self._fail(f"{wanted} wanted, found {self._found()}")
        name = self._token["name"]
        self._next()
        # A rule may be called by its full name, package and grammar before it.
        package, _, simple = name.rpartition(".")
        return simple if package and ("." + self._package).endswith("." + package) else name

    def _next(self) -> None:
        self._line += self._token.group().count("\n") if self._token is not None else 0
        self._token = None
        while self._end < len(self._content):
            token = _TOKEN.match(self._content, self._end)
            if token is None:
                found = self._content[self._end : self._end + 20].splitlines()[0]
                self._fail(f"{_UNFINISHED.get(found[0], 'a word or a <rule>')} wanted, found {found!r}")
            self._end = token.end()
            if not token["skip"]:
                self._token = token
                return
            self._line += token.group().count("\n")

    def _at(self, *marks: str) -> bool:
        return self._token is not None and self._token["mark"] in marks

    def _takes(self, text: str) -> bool:
        """Whether this very word or mark is next; then it is passed."""
        taken = self._token is not None and text in (self._token["word"], self._token["mark"])
        if taken:
            self._next()
        return taken

    def _expect(self, mark: str, wanted: str) -> None:
        if not self._takes(mark):
            self._fail(f"{wanted} wanted, found {self._found()}")

    def _found(self) -> str:
        return "the file's end" if self._token is None else repr(self._token.group()[:40])

    def _fail(self, problem: str, line: int | None = None) -> NoReturn:
        raise InputError(f"{self._name}: line {line or self._line}: {problem}")


def _optional(part: Expansion) -> Choice:
    return Choice(((NULL, 0.5), (part, 0.5)))
