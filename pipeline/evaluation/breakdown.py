"""Where errors lie: which words and units are taken for which, and how many of whom."""

import re
from collections import Counter

import jiwer
import numpy as np

from pipeline.evaluation.error_rate import ErrorRates, error_rates


def wrong_words(reference: str, hypothesis: str) -> tuple[list[bool], list[bool]]:
    """Of each word of the reference and of the hypothesis, whether the alignment with fewest edits finds it wrong."""
    found = jiwer.process_words(reference, hypothesis)
    wrong = [True] * len(found.references[0]), [True] * len(found.hypotheses[0])
    for chunk in found.alignments[0]:
        if chunk.type == "equal":
            wrong[0][chunk.ref_start_idx : chunk.ref_end_idx] = [False] * (chunk.ref_end_idx - chunk.ref_start_idx)
            wrong[1][chunk.hyp_start_idx : chunk.hyp_end_idx] = [False] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return wrong


def comparison(references: list[str], hypotheses: list[str]) -> str:
    """A Markdown table of what was said and what was heard; bold are the words of which the other has not the same."""
    rows = ["| reference | hypothesis |", "|---|---|"]
    for said, heard in zip(references, hypotheses, strict=True):
        wrong = wrong_words(said, heard)
        rows.append(f"| {_marked(said, wrong[0])} | {_marked(heard, wrong[1])} |")
    return "\n".join(rows)


def _marked(text: str, wrong: list[bool]) -> str:
    words = [_escaped(word) for word in text.split()]
    return " ".join(f"**{word}**" if bad else word for word, bad in zip(words, wrong, strict=True)) or "(nothing)"


def _escaped(word: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", word)


def confusions(references: list[str], hypotheses: list[str], kind: str) -> Counter[tuple[str, str]]:
    """How often each unit was said and each was heard in its place, by the alignment with fewest edits.

    Args:
        references, hypotheses: normalized texts.
        kind: of the units, "characters" or "words".

    Returns:
        Counts by (said, heard); "" is heard where a unit was left out, and said where one was put in.
    """
    process = jiwer.process_characters if kind == "characters" else jiwer.process_words
    found = process(references, hypotheses)
    counts: Counter[tuple[str, str]] = Counter()
    for said, heard, chunks in zip(found.references, found.hypotheses, found.alignments, strict=True):
        for chunk in chunks:
            one = said[chunk.ref_start_idx : chunk.ref_end_idx]
            other = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
            length = max(len(one), len(other))
            counts.update(zip([*one] or [""] * length, [*other] or [""] * length, strict=True))
    return counts


def error_rates_by(groups: list[str], references: list[str], hypotheses: list[str]) -> dict[str, ErrorRates]:
    """The rates of each group's utterances, in the order in which groups first occur; those without words have none."""
    rates = {}
    for group in dict.fromkeys(groups):
        own = [number for number, name in enumerate(groups) if name == group]
        said = [references[number] for number in own]
        if any(said):
            rates[group] = error_rates(said, [hypotheses[number] for number in own])
    return rates


def duration_groups(seconds: list[float], most: int = 5) -> list[str]:
    """A range of durations for each utterance, such as "2.1-3.4 s"; as many utterances in each, as far as can be."""
    edges = np.unique(np.round(np.quantile(seconds, np.linspace(0, 1, most + 1)), 1))
    if len(edges) < 2:
        return [f"{edges[0]:.1f} s"] * len(seconds)
    places = np.clip(np.searchsorted(edges, seconds, side="right") - 1, 0, len(edges) - 2)
    return [f"{edges[place]:.1f}-{edges[place + 1]:.1f} s" for place in places]
