"""Transcripts and the units they are spelled in: characters or words, and the blank."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import InputError

BLANK = "<blank>"
SPACE = "<space>"
"""How the space, which an editor would not show, stands in a file of units."""


OTHER = "<other>"
"""The unit that stands for every word without one of its own, if a model has it: a keyword model's filler, no text."""


JOINED = "\x01"
"""Between the words of a phrase while others are looked for."""


class UnknownSymbol(InputError):
    """A transcript holds something that the units cannot spell."""


def normalize(text: str, lowercase: bool = True, remove: str = "", replace: dict[str, str] | None = None) -> str:
    """A transcript in the form that training and evaluation compare: NFC, single spaces, and as configured.

    >>> normalize("Hello,  World!", remove=",!")
    'hello world'
    """
    text = unicodedata.normalize("NFC", text)
    if lowercase:
        text = text.lower()
    for old, new in (replace or {}).items():
        text = text.replace(old, new)
    if remove:
        text = text.translate({ord(character): None for character in remove})
    # Lowercasing and removing may leave letter and accent apart that are one character.
    return unicodedata.normalize("NFC", " ".join(text.split()))


class Units:
    """The inventory that a model spells in. Unit 0 is the blank; the symbols follow.

    Args:
        kind: "characters" or "words".
        symbols: characters (the space among them, if used); or words, and phrases of several words with a space between
            them; each once.

    Attributes:
        phrases: those of the symbols, the longest first: where a text holds one, its words are one unit.

    >>> units = Units("characters", [" ", "a", "b"])
    >>> units.encode("ab a")
    [2, 3, 1, 2]
    >>> units.decode([2, 3, 1, 2])
    'ab a'
    >>> Units("words", ["a", "a lot of", "milk"]).encode("a lot of milk")
    [2, 3]
    """

    def __init__(self, kind: str, symbols: Iterable[str]):
        self.kind = kind
        self.symbols = list(symbols)
        for symbol in self.symbols:
            if kind == "characters" and (len(symbol) != 1 or (symbol.isspace() and symbol != " ")):
                raise InputError(f"units: single characters wanted, of spaces only ' ', found {symbol!r}")
            if kind == "words" and (not symbol or " ".join(symbol.split()) != symbol):
                raise InputError(f"units: words, or phrases with single spaces between them, wanted, found {symbol!r}")
        if not self.symbols:
            raise InputError("units: at least one symbol wanted, found none (are all transcripts empty?)")
        twice = sorted({symbol for symbol in self.symbols if self.symbols.count(symbol) > 1})
        if twice:
            raise InputError(f"units: each symbol once wanted, found {twice[0]!r} again")
        self._ids = {symbol: number for number, symbol in enumerate(self.symbols, start=1)}
        several = [symbol for symbol in self.symbols if kind == "words" and " " in symbol]
        self.phrases = sorted(several, key=lambda phrase: (-phrase.count(" "), phrase))

    @classmethod
    def of_texts(cls, kind: str, texts: Iterable[str], phrases: Iterable[str] = ()) -> "Units":
        """The units that spell all the texts, sorted.

        Args:
            kind: see above.
            texts: normalized.
            phrases: of words, normalized, that are to be units of their own.

        Raises:
            InputError: a phrase is of fewer than two words, there twice, or in no text beside longer ones.
        """
        phrases = list(phrases)
        for number, phrase in enumerate(phrases):
            if len(phrase.split()) < 2 or phrase in phrases[:number]:
                raise InputError(f"units.phrases: several words, each phrase once, wanted, found {phrase!r}")
        asked = cls(kind, phrases) if phrases else None
        symbols: set[str] = set()
        for text in texts:
            symbols.update(asked.split(text) if asked else _split(kind, text))
        missing = [phrase for phrase in phrases if phrase not in symbols]
        if missing:
            raise InputError(
                f"units.phrases: phrases of the training transcripts wanted, none has {missing[0]!r} "
                "where no other phrase begins or ends"
            )
        return cls(kind, sorted(symbols))

    def __len__(self) -> int:
        """The number of units, the blank included."""
        return 1 + len(self.symbols)

    @property
    def texts(self) -> list[str]:
        """What each unit, by its id, adds to a text: its symbol, or nothing."""
        return ["", *("" if symbol == OTHER else symbol for symbol in self.symbols)]

    def without_others(self, text: str) -> str:
        """What there is to write of a text: a model with `<other>` writes nothing of words without a unit."""
        return " ".join(symbol for symbol in self.split(text) if symbol in self._ids) if OTHER in self._ids else text

    @property
    def words(self) -> set[str]:
        """Of units of words: all that they can write, be it in phrases alone."""
        return {word for symbol in self.symbols if symbol != OTHER for word in symbol.split()}

    def split(self, text: str) -> list[str]:
        """The symbols that a normalized text is written in, known or not; of phrases that overlap the longest one."""
        symbols = _split(self.kind, text)
        if not self.phrases:
            return symbols
        spaced = _spaced(symbols)
        for phrase in self.phrases:
            spaced = spaced.replace(_spaced(phrase.split()), f" {phrase.replace(' ', JOINED)} ")
        return [symbol.replace(JOINED, " ") for symbol in spaced.split()]

    def encode(self, text: str) -> list[int]:
        """The text's unit ids; words without a unit have that of `<other>`, if there is one.

        Raises:
            UnknownSymbol: it holds a symbol that is not among the units.
        """
        symbols = self.split(text)
        ids = [self._ids.get(symbol, self._ids.get(OTHER)) for symbol in symbols]
        if None in ids:
            raise UnknownSymbol(f"{text!r} has {symbols[ids.index(None)]!r}, which is not among the units")
        return ids

    def spells(self, text: str) -> bool:
        """Whether `encode` finds a unit for every symbol of the text."""
        return OTHER in self._ids or self._ids.keys() >= set(self.split(text))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of unit ids; the blank and `<other>` have none."""
        separator = "" if self.kind == "characters" else " "
        text = separator.join(self.texts[number] for number in ids)
        return " ".join(text.split())

    def save(self, path: str | Path) -> None:
        """One unit a line, in the order of their ids, the kind in the first line."""
        lines = [f"# {self.kind}", BLANK, *(SPACE if symbol == " " else symbol for symbol in self.symbols)]
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Units":
        """Raises: InputError: the file is missing, or not one that `save` wrote."""
        try:
            lines = Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n")
        except OSError as error:
            raise InputError(f"{path}: a file of units wanted, {error.strerror.lower()}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: a file of units wanted, found bytes that are not UTF-8") from error
        kind = lines[0].removeprefix("# ")
        if kind not in ("characters", "words") or lines[1:2] != [BLANK]:
            raise InputError(
                f"{path}: '# characters' or '# words' and {BLANK} wanted in the first lines, found {lines[:2]}"
            )
        return cls(kind, [" " if kind == "characters" and line == SPACE else line for line in lines[2:]])


def _split(kind: str, text: str) -> list[str]:
    return list(text) if kind == "characters" else text.split()


def _spaced(words: list[str]) -> str:
    """With a space on both sides of each word, so that no two share one."""
    return "".join(f" {word} " for word in words)
