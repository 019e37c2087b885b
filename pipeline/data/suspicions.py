"""What in a survey of utterances is suspicious: each finding names the utterance and what was found of it."""

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from pipeline.config import Config
from pipeline.data.survey import BLOCK_SECONDS, FLOOR_DBFS, Row, Survey, decibels
from pipeline.data.utterances import normalizer

SHORTEST_SECONDS = 0.2
"""No word is said in less."""

LEAST_SPEECH_SECONDS = 0.1
LEAST_SPEECH_SHARE = 0.05
"""Of an utterance; with less it is mostly silent."""

CLIPPED_SHARE = 0.001
"""Of samples at full scale; a recording brought to full scale has one or two."""

OFFSET = 0.01
"""Of full scale, -40 dBFS."""

UNUSUAL = 4.0
"""Robust z-score of a speaking rate; Iglewicz and Hoaglin (1993) advise 3.5 where all are of one kind."""

LEAST_DEVIATION = 0.05
"""Of the logarithm of a speaking rate: where all speak alike, a few percent are no extreme."""

FEWEST_RATES = 10
"""Fewer have no distribution."""

WRONG_LENGTH_SECONDS = 0.2
WRONG_LENGTH_SHARE = 0.05
"""An announced length is wrong if it is off by more than both."""

PROBLEMS = {
    "unreadable": "The audio cannot be read; training leaves such a file out.",
    "infeasible": "Too few frames for the labels: CTC cannot align them. A cut recording or a wrong transcript.",
    "empty transcript": "Nothing is left of the transcript once it is normalized.",
    "outside the units": "The transcript holds a symbol that the units lack.",
    "too long": "Longer than data.longest_seconds; training leaves it out.",
    "too short": f"Shorter than {SHORTEST_SECONDS:g} s.",
    "wrong length": "The length that the source announces is not that of the audio.",
    "low sample rate": "The file's rate is below the model's: its upper frequencies are empty.",
    "same audio across splits": "The same samples are in another split: results would flatter.",
    "same audio within a split": "The same samples came before in this split.",
    "same audio, other text": "The same samples have two transcripts; one of them is wrong.",
    "speaker across splits": "Results would not tell how the model does on speakers it never heard.",
    "fast": "Far more characters a second of speech than usual: a cut recording or too long a transcript.",
    "slow": "Far fewer characters a second of speech than usual: too short a transcript, or noise held for speech.",
    "mostly silent": f"Less than {LEAST_SPEECH_SECONDS:g} s or {LEAST_SPEECH_SHARE:.0%} of it is no silence, or all of "
    f"it is below {FLOOR_DBFS:g} dBFS.",
    "clipped": f"More than {CLIPPED_SHARE:.1%} of the samples are at full scale.",
    "DC offset": f"The mean of the samples is more than {OFFSET:.0%} of full scale away from zero.",
    "other spelling": "The transcript differs from others in nothing but case, spaces or the encoding of characters.",
}
"""What can be found, by its name, in the order of a report, and what it means."""


@dataclass(frozen=True)
class Finding:
    """Something suspicious.

    Attributes:
        problem: one of PROBLEMS.
        split: where it was found.
        name: the utterance's; of a speaker across splits, the speaker's.
        text: the transcript as the source has it; empty for a speaker.
        found: what was found, in words.
        value: the same as a number, if it is one: the worse, the larger.
    """

    problem: str
    split: str
    name: str
    text: str
    found: str
    value: float | None = None


def suspicions(survey: Survey, settings: Config) -> list[Finding]:
    """All findings, in the order of PROBLEMS and, where they are numbers, the worst first."""
    rows = [row for split in survey.rows.values() for row in split]
    found = [finding for row in rows for finding in _of_one(row, settings)]
    found += [*_same_audio(rows), *_shared_speakers(survey), *_unusual_rates(rows), *_other_spellings(rows, settings)]
    order = {problem: number for number, problem in enumerate(PROBLEMS)}
    return sorted(found, key=lambda finding: (order[finding.problem], -(finding.value or 0)))


def _of(row: Row, problem: str, found: str, value: float | None = None) -> Finding:
    return Finding(problem, row.split, row.name, row.transcript, found, None if value is None else round(value, 6))


def _of_one(row: Row, settings: Config) -> Iterator[Finding]:
    """What an utterance alone shows."""
    if row.unreadable:
        yield _of(row, "unreadable", row.unreadable)
    elif not row.text:  # of a bad line there is none in any case
        yield _of(row, "empty transcript", "no text" if not row.transcript else f"{row.transcript!r} normalizes to ''")
    if row.outside:
        yield _of(row, "outside the units", row.outside)
    if row.infeasible:
        yield _of(row, "infeasible", row.infeasible)
    if row.seconds > settings.data.longest_seconds:
        yield _of(row, "too long", f"{row.seconds:.2f} s, longest is {settings.data.longest_seconds:g} s", row.seconds)
    if row.file_rate and row.file_rate < settings.features.sample_rate:
        wanted = settings.features.sample_rate
        yield _of(row, "low sample rate", f"{row.file_rate} Hz, the model's are {wanted} Hz", wanted - row.file_rate)
    if row.sound:
        yield from _of_sound(row)


def _of_sound(row: Row) -> Iterator[Finding]:
    sound, announced, seconds = row.sound, row.announced, row.seconds
    if seconds < SHORTEST_SECONDS:
        yield _of(row, "too short", f"{seconds:.3f} s", -seconds)
    if announced and abs(announced - seconds) > max(WRONG_LENGTH_SECONDS, WRONG_LENGTH_SHARE * seconds):
        yield _of(row, "wrong length", f"{announced:.2f} s announced, {seconds:.2f} s found", abs(announced - seconds))
    speech = (1 - sound.silent) * seconds
    # Of less than a few blocks a share tells nothing, and the length itself has been told.
    few = seconds > 2 * LEAST_SPEECH_SECONDS + BLOCK_SECONDS and speech < LEAST_SPEECH_SECONDS
    if few or 1 - sound.silent < LEAST_SPEECH_SHARE or decibels(sound.rms) < FLOOR_DBFS:
        level = f"level {decibels(sound.rms):.0f} dBFS"
        yield _of(row, "mostly silent", f"{speech:.2f} s of {seconds:.2f} s are no silence, {level}", sound.silent)
    if sound.clipped > CLIPPED_SHARE:
        yield _of(row, "clipped", f"{sound.clipped:.2%} of the samples at full scale", sound.clipped)
    if abs(sound.offset) > OFFSET:
        yield _of(row, "DC offset", f"mean {sound.offset:+.3f} of full scale", abs(sound.offset))


def _same_audio(rows: list[Row]) -> Iterator[Finding]:
    """Every utterance whose samples came before, and of the earlier ones the first that is worth a word."""
    by_digest = defaultdict(list)
    for row in rows:
        if row.sound:
            by_digest[row.sound.digest].append(row)
    for group in by_digest.values():
        for number, row in enumerate(group):
            before = group[:number]
            if same := next((other for other in before if other.split == row.split), None):
                yield _of(row, "same audio within a split", f"the same as {same.name}")
            if same := next((other for other in before if other.split != row.split), None):
                yield _of(row, "same audio across splits", f"the same as {same.name} in {same.split}")
            if same := next((other for other in before if other.text != row.text), None):
                yield _of(row, "same audio, other text", f"{same.name} in {same.split} has {same.transcript!r}")


def _shared_speakers(survey: Survey) -> Iterator[Finding]:
    counts = {split: Counter(row.speaker for row in rows if row.speaker) for split, rows in survey.rows.items()}
    splits = list(counts)
    for number, split in enumerate(splits):
        for speaker, count in counts[split].items():
            if elsewhere := [
                f"{counts[other][speaker]} in {other}" for other in splits[:number] if counts[other][speaker]
            ]:
                found = f"{count} utterances here, {' and '.join(elsewhere)}"
                yield Finding("speaker across splits", split, speaker, "", found, float(count))


def _unusual_rates(rows: list[Row]) -> Iterator[Finding]:
    """Extremes by the modified z-score of Iglewicz and Hoaglin (1993), of the logarithms: rates are skewed."""
    rated = [(row, math.log(row.speaking_rate)) for row in rows if row.speaking_rate]
    if len(rated) < FEWEST_RATES:
        return
    middle = median(rate for _, rate in rated)
    deviation = max(median(abs(rate - middle) for _, rate in rated) / 0.6745, LEAST_DEVIATION)
    for row, rate in rated:
        score = (rate - middle) / deviation
        if abs(score) > UNUSUAL:
            letters = len(row.text.replace(" ", ""))
            found = (
                f"{math.exp(rate):.1f} characters a second ({letters} in {row.speech_seconds:.2f} s of speech), "
                f"usual are {math.exp(middle):.1f}; robust z {score:+.1f}"
            )
            yield _of(row, "fast" if score > 0 else "slow", found, abs(score))


def _other_spellings(rows: Iterable[Row], settings: Config) -> Iterator[Finding]:
    """Every utterance whose transcript has a commoner spelling."""
    normalize = normalizer(settings)
    spellings = defaultdict(Counter)
    for row in rows:
        spellings[_skeleton(row.transcript)][row.transcript] += 1
    for row in rows:
        spelled = spellings[_skeleton(row.transcript)]
        if len(spelled) > 1 and row.text:
            (common, count), *_ = spelled.most_common(1)
            if common != row.transcript:
                same = normalize(common) == row.text
                harm = "normalization makes them one" if same else "the model is to learn both"
                yield _of(row, "other spelling", f"elsewhere {common!r}, {count} times; {harm}", float(not same))


def _skeleton(transcript: str) -> str:
    return "".join(unicodedata.normalize("NFKC", transcript).casefold().split())
