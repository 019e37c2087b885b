"""What a configuration's data section gives: units, and batches to train and to validate on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import Config
from pipeline.data import sources
from pipeline.data.batches import Batches
from pipeline.data.utterances import (
    Examples,
    Skipped,
    Utterance,
    check_speakers,
    learnable,
    too_many_skipped,
    units_of,
)
from pipeline.text import Units

log = logging.getLogger(__name__)


_CALLED = {"train": "training", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Splits:
    """What a training takes.

    Attributes:
        units: of the labels.
        train, valid: batches.
        skipped: what was left out so far, of all splits; `lost`: of each.
        totals: utterances of each split, those that are left out included; None if each epoch has others.
    """

    units: Units
    train: Batches
    valid: Batches
    skipped: Skipped
    lost: dict[str, Skipped]
    totals: dict[str, int | None]

    def told(self) -> str:
        """What was left out so far, each utterance once; such as: skipped 5 of 38 training utterances, 1 of 6 test
        utterances."""
        parts = []
        for split, each in self.lost.items():
            if len(each):
                of = "" if self.totals[split] is None else f" of {self.totals[split]}"
                parts.append(f"{len(each)}{of} {_CALLED[split]} utterances")
        return f"skipped {', '.join(parts) or 'nothing'}"


def load_splits(
    settings: Config, units: Units | None = None, few_shapes: bool = False, skipped: Skipped | None = None
) -> Splits:
    """Reads all sources, and finds what cannot be learnt from before any training.

    Args:
        settings: the whole configuration.
        units: those of a run that goes on; default: as configured, or all that the training transcripts need.
        few_shapes: see `Batches`.
        skipped: where what is left out is written down; default: anew.

    Raises:
        InputError: a source cannot be read, a speaker is in two splits, nothing can be learnt from, or more of a split
            is left out than `data.most_skipped` allows.
    """
    named = {split: getattr(settings.data, split) for split in _CALLED}
    skipped = Skipped() if skipped is None else skipped
    lost = {split: Skipped(within=skipped) for split in named if named[split]}
    read = {split: sources.read(named[split], settings, split, lost[split]) for split in lost}
    firsts = {split: of_epoch(0) for split, of_epoch in read.items()}
    check_speakers(firsts, settings.data.allow_shared_speakers)
    if units is None:
        units = units_of(settings, firsts["train"])
    batches = {}
    bad_lines = {split: len(each) for split, each in lost.items()}
    totals = {split: bad_lines[split] + len(firsts[split]) for split in lost}
    same = {split: read[split](0) is firsts[split] for split in lost}  # and so in each epoch
    del firsts  # those of one epoch only need not stay in memory
    left_out = dict(bad_lines)  # as often as an epoch has each
    for split in ("train", "valid"):
        examples = _Learnable(read[split], settings, units, lost[split], f"data.{split}")
        found = examples(0)
        left_out[split] = totals[split] - len(found)
        batches[split] = Batches(examples, settings, lost[split], split == "train", few_shapes, split, left_out[split])
        minutes = found.samples.sum() / settings.features.lengths_per_second / 60
        log.info("%s: %d utterances, %.1f minutes", split, len(found), minutes)
    known = {split: total if same[split] else None for split, total in totals.items()}
    splits = Splits(units, batches["train"], batches["valid"], skipped, lost, known)
    for split, each in lost.items():
        if len(each):
            too_many_skipped(each, totals[split], settings.data.most_skipped, f"data.{split}", left_out[split])
    if len(skipped):
        log.warning("%s: %s", splits.told(), skipped.first)
    return splits


class _Learnable:
    """What can be learnt from in an epoch; found once where all epochs have the same utterances."""

    def __init__(self, of_epoch: sources.OfEpoch, settings: Config, units: Units, skipped: Skipped, split: str):
        self._of_epoch, self._settings, self._units, self._skipped = of_epoch, settings, units, skipped
        self._split = split
        self._latest: tuple[Sequence[Utterance], Examples] | None = None

    def __call__(self, epoch: int) -> Examples:
        utterances = self._of_epoch(epoch)
        if self._latest is None or self._latest[0] is not utterances:
            found = learnable(utterances, self._settings, self._units, self._skipped, self._split)
            self._latest = utterances, found
        return self._latest[1]
