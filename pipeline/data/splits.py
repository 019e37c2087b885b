"""What a configuration's data section gives: units, and batches to train and to validate on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.config import Config
from pipeline.data import sources
from pipeline.data.batches import Batches
from pipeline.data.utterances import Example, Skipped, Utterance, check_speakers, learnable, normalizer
from pipeline.text import Units

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Splits:
    units: Units
    train: Batches
    valid: Batches
    skipped: Skipped


def load_splits(settings: Config, units: Units | None = None, few_shapes: bool = False) -> Splits:
    """Reads all sources, and finds what cannot be learnt from before any training.

    Args:
        settings: the whole configuration.
        units: those of a run that goes on; default: as configured, or all that the training transcripts need.
        few_shapes: see `Batches`.

    Raises:
        InputError: a source cannot be read, a speaker is in two splits, or nothing can be learnt from.
    """
    named = {"train": settings.data.train, "valid": settings.data.valid, "test": settings.data.test}
    read = {split: sources.read(named[split], settings, split) for split in named if named[split]}
    check_speakers({split: of_epoch(0) for split, of_epoch in read.items()}, settings.data.allow_shared_speakers)
    if units is None:
        normalize = normalizer(settings)
        units = (
            Units.of_texts(settings.units.kind, (normalize(u.transcript) for u in read["train"](0)))
            if settings.units.symbols is None
            else Units(settings.units.kind, settings.units.symbols)
        )
    skipped = Skipped()
    batches = {}
    for split in ("train", "valid"):
        examples = _examples(read[split], settings, units, skipped)
        batches[split] = Batches(examples, settings, skipped, split == "train", few_shapes)
        found = examples(0)
        seconds = sum(example.utterance.samples for example in found) / settings.features.lengths_per_second
        log.info("%s: %d utterances, %.1f minutes", split, len(found), seconds / 60)
    if len(skipped):
        log.warning(skipped.summary(sum(len(read[split](0)) for split in batches)))
    return Splits(units, batches["train"], batches["valid"], skipped)


def _examples(
    of_epoch: Callable[[int], list[Utterance]], settings: Config, units: Units, skipped: Skipped
) -> Callable[[int], list[Example]]:
    return lambda epoch: learnable(of_epoch(epoch), settings, units, skipped)
