"""The sources a configuration names -> utterances."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline import config, text
from pipeline.data import joining
from pipeline.data.cache import cache_folder, make_cache
from pipeline.data.corpora import read_corpus
from pipeline.data.manifest import of_entries, read_manifest
from pipeline.data.synthesis_source import synthesize
from pipeline.data.tfds_source import read_tfds
from pipeline.data.utterances import Skipped, Utterance, take_speakers
from pipeline.errors import InputError
from pipeline.feature_files import FeatureFrames

OfEpoch = Callable[[int], Sequence[Utterance]]
"""The utterances of an epoch; the very same object in each, where nothing is drawn anew."""

_MOST_OF_A_SOURCE = 10_000_000
"""Utterances that an epoch has of one, where they are repeated."""


def read(sources: list[config.Source], settings: config.Config, stream: str, skipped: Skipped | None = None) -> OfEpoch:
    """What a split's sources hold, as a function of the epoch: joined strings and shares are drawn anew for each.

    Args:
        sources: `data.train`, `data.valid` or `data.test`.
        settings: the whole configuration.
        stream: the split's name; random choices of two splits are independent.
        skipped: where bad lines of manifests, corpora and phrases go; default: the first ends it.

    Raises:
        InputError: a source cannot be read, or nothing is left of it.
    """
    rate = settings.features.sample_rate
    cache = make_cache(settings.data, f"{rate} Hz")
    kept = []
    for number, source in enumerate(sources):
        name = f"{stream}.{number}"
        utterances = _utterances(source, settings, name, skipped, cache)
        if not isinstance(source, config.SynthesisSource):
            utterances = take_speakers(utterances, source.speakers)
        if not utterances:
            raise InputError(f"data.{name}: no utterance is left of it (speakers: {source.speakers})")
        _check_weight(source.weight, source.join.utterances if source.join else len(utterances), f"data.{name}.weight")
        kept.append((source, name, _as_wanted(utterances, source)))
    if all(source.join is None and source.weight == 1 for source, _, _ in kept):
        everything = [utterance for _, _, utterances in kept for utterance in utterances]
        return lambda epoch: everything

    def of_epoch(epoch: int) -> list[Utterance]:
        everything = []
        for source, name, utterances in kept:
            random = np.random.default_rng([settings.seed, epoch, *name.encode()])
            if source.join:
                utterances = joining.join(utterances, source.join, rate, random, name)
                utterances = _augmented_as(utterances, source.augment)
            everything.extend(_weighted(utterances, source.weight, random))
        return everything

    return of_epoch


def _utterances(
    source: config.Source, settings: config.Config, name: str, skipped: Skipped | None, cache
) -> list[Utterance]:
    rate, folder = settings.features.sample_rate, Path(settings.data.folder)
    match source:
        case config.ManifestSource():
            features = FeatureFrames.of(settings.features)
            return read_manifest(folder / source.path, rate, features, skipped, cache)
        case config.CorpusSource():
            return of_entries(read_corpus(folder / source.path, source.format, source.split, skipped), rate, cache)
        case config.TfdsSource():
            return read_tfds(source, folder, rate, cache, cache_folder(settings.data))
        case config.SynthesisSource():
            kept, most = cache_folder(settings.data), settings.data.most_skipped
            return synthesize(source, rate, settings.seed, name, kept, skipped, most)


def _as_wanted(utterances: list[Utterance], source: config.Source) -> list[Utterance]:
    """With the source's own way of writing transcripts, level and augmentation."""
    if source.own_text is not None:
        own = source.own_text.model_dump()
        utterances = [dataclasses.replace(u, transcript=text.normalize(u.transcript, **own)) for u in utterances]
    if source.level_db is not None:
        utterances = [
            dataclasses.replace(u, load=functools.partial(_at_level, u.load, source.level_db)) for u in utterances
        ]
    return utterances if source.join else _augmented_as(utterances, source.augment)


def _augmented_as(utterances: list[Utterance], augment: config.Augment | None) -> list[Utterance]:
    return [dataclasses.replace(u, augment=augment) for u in utterances] if augment is not None else utterances


def _at_level(load: Callable[[], np.ndarray], level_db: float) -> np.ndarray:
    """With that root mean square, unless its peaks would be cut off."""
    audio = load()
    root_mean_square, peak = np.sqrt(np.mean(audio**2)), np.abs(audio).max()
    return audio * np.float32(min(10 ** (level_db / 20) / root_mean_square, 1 / peak)) if peak else audio


def _check_weight(weight: float, count: int, key: str) -> None:
    """Raises: InputError: an epoch would have none of so many utterances, or more than memory holds."""
    if weight > 1 and weight * count > _MOST_OF_A_SOURCE:
        most = max(1.0, _MOST_OF_A_SOURCE / count)
        raise InputError(
            f"{key} = {weight:g}: at most {most:.7g} wanted, for an epoch to have at most {_MOST_OF_A_SOURCE:,} of "
            f"the source's {count:,} utterances"
        )
    if weight < 1 and round(weight * count) == 0:
        raise InputError(f"{key} = {weight:g}: at least {1 / count:.2g} wanted, for an epoch to have one of {count:,}")


def _weighted(utterances: list[Utterance], weight: float, random: np.random.Generator) -> list[Utterance]:
    """Each as often as the weight says, and of its fraction a random part."""
    whole = int(weight)
    part = round((weight - whole) * len(utterances))
    chosen = sorted(random.choice(len(utterances), part, replace=False)) if part else []
    return utterances * whole + [utterances[i] for i in chosen]
