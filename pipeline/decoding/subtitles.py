"""Subtitles: words in time -> SubRip (.srt) and WebVTT (.vtt)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pipeline.decoding.transcript import Transcript, Word

PAUSE_SECONDS = 0.8
"""So long a pause ends a cue."""
LINE_CHARACTERS = 42
"""So many fit into a line, and two lines into a cue."""
CUE_SECONDS = 7.0
"""No cue is longer, unless one word is."""
READING_SECONDS = 1.0
"""A cue stays for as long as this, unless the next one comes earlier."""


@dataclass(frozen=True)
class Cue:
    """What is shown from `start` to before `end`, in milliseconds, in one or two lines."""

    start: int
    end: int
    lines: tuple[str, ...]


def to_srt(words: Transcript | Iterable[Word]) -> str:
    """A SubRip file; of no words an empty one."""
    return "\n".join(f"{number}\n{_shown(cue, ',', str)}" for number, cue in enumerate(cues(words), start=1))


def to_vtt(words: Transcript | Iterable[Word]) -> str:
    """A WebVTT file; of no words one without cues. What would be markup (&, <, >) is escaped."""
    return "WEBVTT\n" + "".join(f"\n{_shown(cue, '.', _escaped)}" for cue in cues(words))


def cues(words: Transcript | Iterable[Word]) -> list[Cue]:
    """The words, in the order of time, in pieces to read.

    Cues are in order and do not overlap, whatever the times of the words are. A word that is longer than a line has a
    line of its own.
    """
    words = words.words if isinstance(words, Transcript) else words
    groups = _groups(words)
    starts = [_milliseconds(group[0].start) for group in groups]
    made: list[Cue] = []
    for number, group in enumerate(groups):
        start = max(starts[number], made[-1].end if made else 0)
        end = max(_milliseconds(group[-1].end), start + 1)
        reading = start + _milliseconds(READING_SECONDS)
        following = starts[number + 1] if number + 1 < len(groups) else reading
        made.append(Cue(start, max(end, min(reading, following)), tuple(_lines([word.word for word in group]))))
    return made


def _groups(words: Iterable[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = []
    for word in words:
        if groups and _belongs(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _belongs(group: list[Word], word: Word) -> bool:
    """Whether a word can be shown together with those before it."""
    lines = _lines([*(earlier.word for earlier in group), word.word])
    return (
        word.start - group[-1].end < PAUSE_SECONDS
        and word.end - group[0].start <= CUE_SECONDS
        and all(len(line) <= LINE_CHARACTERS for line in lines)
    )


def _lines(words: list[str]) -> list[str]:
    """One line if it is short enough, or two that are as equally long as can be."""
    whole = " ".join(words)
    if len(whole) <= LINE_CHARACTERS or len(words) == 1:
        return [whole]
    splits = ([" ".join(words[:number]), " ".join(words[number:])] for number in range(1, len(words)))
    return min(splits, key=lambda lines: max(map(len, lines)))


def _shown(cue: Cue, separator: str, escaped: Callable[[str], str]) -> str:
    times = f"{_clock(cue.start, separator)} --> {_clock(cue.end, separator)}"
    return "".join(f"{line}\n" for line in (times, *map(escaped, cue.lines)))


def _milliseconds(seconds: float) -> int:
    return max(0, round(1000 * seconds))


def _clock(milliseconds: int, separator: str) -> str:
    """Such as 01:02:03,004."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{milliseconds:03}"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
