"""A survey's numbers, a split at a time: what a table or a JSON object shows."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.data.survey import Row, Survey, decibels
from pipeline.data.suspicions import Finding


@dataclass(frozen=True)
class Spread:
    """Minimum, quantiles and maximum of a quantity."""

    least: float
    p5: float
    median: float
    p95: float
    most: float


@dataclass(frozen=True)
class Speaker:
    """One speaker's share of a split: `split` says of which."""

    name: str
    split: str
    utterances: int
    minutes: float


@dataclass(frozen=True)
class Summary:
    """One split.

    Attributes:
        utterances: how many there are; `heard`: how many were listened to; `unreadable`: how many of those in vain.
        hours: of audio; of what was not listened to, as announced.
        speakers: how many are told; `without_speaker`: utterances whose speaker is not.
        transcripts, words: different ones, normalized.
        unit_count: units in all transcripts together.
        seconds: an utterance's length.
        characters_per_second, words_per_second: of speech, without the silence before and after.
        level_dbfs: an utterance's root mean square; `peak_dbfs`: its largest sample.
        clipped_share: samples at full scale, of all samples.
        leading_seconds, trailing_seconds: silence before and after.
        silent_share: of an utterance.
        file_rates: files by their own rate, in hertz.
        suspicious: findings by problem.
    """

    utterances: int
    heard: int
    unreadable: int
    hours: float
    speakers: int
    without_speaker: int
    transcripts: int
    words: int
    unit_count: int
    seconds: Spread | None
    characters_per_second: Spread | None
    words_per_second: Spread | None
    level_dbfs: Spread | None
    peak_dbfs: Spread | None
    clipped_share: float | None
    leading_seconds: Spread | None
    trailing_seconds: Spread | None
    silent_share: Spread | None
    file_rates: dict[int, int]
    suspicious: dict[str, int]


def values(rows: Iterable[Row], value: Callable[[Row], float | None]) -> np.ndarray:
    """float64 [rows that have it]."""
    found = (value(row) for row in rows)
    return np.array([each for each in found if each is not None], np.float64)


def summaries(survey: Survey, findings: Iterable[Finding]) -> dict[str, Summary]:
    """By split."""
    suspicious: dict[str, Counter[str]] = {split: Counter() for split in survey.rows}
    for finding in findings:
        suspicious[finding.split][finding.problem] += 1
    return {split: _summary(survey, split, dict(suspicious[split])) for split in survey.rows}


def _summary(survey: Survey, split: str, suspicious: dict[str, int]) -> Summary:
    rows = survey.rows[split]
    sounds = [row.sound for row in rows if row.sound]
    samples = sum(sound.samples for sound in sounds)
    heard = [row for row in rows if row.sound]

    def spread(value: Callable[[Row], float | None]) -> Spread | None:
        return _spread(values(heard, value))

    return Summary(
        utterances=len(rows),
        heard=survey.heard[split],
        unreadable=sum(row.unreadable is not None for row in rows),
        hours=round(sum(row.seconds for row in rows if row.unreadable is None) / 3600, 4),
        speakers=len({row.speaker for row in rows if row.speaker is not None}),
        without_speaker=sum(row.speaker is None for row in rows),
        transcripts=len({row.text for row in rows}),
        words=len({word for row in rows for word in row.text.split()}),
        unit_count=survey.counts[split].total(),
        seconds=_spread(values(rows, lambda row: row.seconds or None)),
        characters_per_second=spread(lambda row: row.speaking_rate),
        words_per_second=spread(lambda row: len(row.text.split()) / row.speech_seconds if row.speaking_rate else None),
        level_dbfs=spread(lambda row: decibels(row.sound.rms)),
        peak_dbfs=spread(lambda row: decibels(row.sound.peak)),
        clipped_share=sum(sound.clipped * sound.samples for sound in sounds) / samples if samples else None,
        leading_seconds=spread(lambda row: row.sound.leading),
        trailing_seconds=spread(lambda row: row.sound.trailing),
        silent_share=spread(lambda row: row.sound.silent),
        file_rates=dict(sorted(Counter(row.file_rate for row in rows if row.file_rate).items())),
        suspicious=suspicious,
    )


def _spread(found: np.ndarray) -> Spread | None:
    if not len(found):
        return None
    return Spread(*(round(float(value), 4) for value in np.quantile(found, [0, 0.05, 0.5, 0.95, 1])))


def top_speakers(survey: Survey, most: int) -> list[Speaker]:
    """Those with the most minutes, the first first; one in two splits is there twice."""
    seconds, utterances = Counter(), Counter()
    for split, rows in survey.rows.items():
        for row in rows:
            if row.speaker is not None:
                seconds[row.speaker, split] += row.seconds
                utterances[row.speaker, split] += 1
    return [
        Speaker(name, split, utterances[name, split], total / 60) for (name, split), total in seconds.most_common(most)
    ]


def rare_units(survey: Survey, fewest: int) -> list[tuple[str, dict[str, int]]]:
    """Units that the training data has fewer than `fewest` times, or not at all; each with its count by split."""
    symbols = set(survey.units.symbols).union(*survey.counts.values())
    rare = [symbol for symbol in symbols if survey.counts["train"][symbol] < fewest]
    rare.sort(key=lambda symbol: (survey.counts["train"][symbol], symbol))
    return [(symbol, {split: counts[symbol] for split, counts in survey.counts.items()}) for symbol in rare]
