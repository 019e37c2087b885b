"""Which variants of a comparison are tested against each other, and how they differ."""

import itertools
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.significance import Difference, paired_bootstrap, paired_t_test


@dataclass(frozen=True)
class Pair:
    """Two variants with the same seeds.

    Attributes:
        first, second: their names.
        seeds: how many both have.
        seed_p: of a paired t test over the seeds' word error rates; NaN of one seed.
        bootstrap: of the word error rates, errors being their mean over the seeds.
    """

    first: str
    second: str
    seeds: int
    seed_p: float
    bootstrap: Difference


def compared(trainings: list[dict], test: dict) -> list[Pair]:
    """All pairs of variants that differ in one respect: the cell, the layer normalization or the directions.

    Args:
        trainings: a learning rate each variant; those that failed are left out.
        test: the words and speakers of the utterances that errors are of.
    """
    by_variant: dict[str, dict[int, dict]] = {}
    for training in trainings:
        if training["failed"] is None:
            by_variant.setdefault(training["variant"], {})[training["seed"]] = training
    found = []
    for (first, own), (second, other) in itertools.combinations(by_variant.items(), 2):
        seeds = sorted(own.keys() & other.keys())
        if not seeds or not _differ_in_one(next(iter(own.values())), next(iter(other.values()))):
            continue
        rates = [[by_seed[seed]["wer"] for seed in seeds] for by_seed in (own, other)]
        errors = [np.mean([by_seed[seed]["errors"] for seed in seeds], axis=0) for by_seed in (own, other)]
        bootstrap = paired_bootstrap(*errors, np.array(test["words"]), test["speakers"])
        found.append(Pair(first, second, len(seeds), paired_t_test(*rates), bootstrap))
    return found


def _differ_in_one(first: dict, second: dict) -> bool:
    parts = [set(training["form"].split("+")) - {"plain"} for training in (first, second)]
    return (first["cell"] != second["cell"]) + len(parts[0] ^ parts[1]) == 1
