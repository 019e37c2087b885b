"""The trainings of a comparison: each variant, with each learning rate and seed."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.config import Config, with_values
from pipeline.data import sources
from pipeline.data.splits import load_splits
from pipeline.data.utterances import Skipped, Utterance, normalizer
from pipeline.errors import InputError, PipelineError
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.significance import word_errors
from pipeline.study.results import Results
from pipeline.study.variants import TOLERANCE, Variant, matched, parameters
from pipeline.training.run import Run
from pipeline.training.trainer import train
from pipeline.training.transcribing import transcriber

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is to be trained.

    Attributes:
        variants: the networks.
        seeds: how many; the first is the configuration's.
        learning_rates: each variant learns with each of them; default: the configuration's.
        minutes: of training each, without validation, by an epoch timed beforehand; default: training.epochs.
        tolerance: how far parameter counts may be from the configuration's, as a share of it.
    """

    variants: tuple[Variant, ...]
    seeds: int = 3
    learning_rates: tuple[float, ...] = ()
    minutes: float | None = None
    tolerance: float = TOLERANCE


def run_trainings(
    settings: Config, plan: Plan, results: Results, on_epoch: Callable[[str, dict], None] = lambda name, epoch: None
) -> None:
    """Trains what the plan has and the results have not; one that was interrupted goes on after its last whole epoch.

    A training that fails is noted and left behind.

    Args:
        settings: what variants are made of; its own model has the number of parameters that all get.
        plan: see above.
        results: `begin` was called with the same settings.
        on_epoch: called after each epoch with the training's name and what its metrics.json then holds of it.

    Raises:
        InputError: the data cannot be used, a variant cannot be made, or the folder has results of other settings.
    """
    settings.training.check_learns()
    units = load_splits(settings).units
    # As symbols, because another seed's strings may lack some.
    settings = with_values(settings, {"units.symbols": units.symbols, "units.phrases": []})
    wanted = parameters(settings, len(units))
    results.once("parameters", wanted)
    results.once("minutes", plan.minutes)
    split, utterances = _tested(settings)
    results.once("test", _described(split, utterances, settings, units))
    by_variant = {variant: matched(settings, variant, len(units), wanted, plan.tolerance) for variant in plan.variants}
    rates = plan.learning_rates or (settings.training.learning_rate,)
    if plan.minutes is not None:
        for variant, own in by_variant.items():
            epochs = _epochs(own, variant, plan.minutes, results)
            by_variant[variant] = with_values(own, {"training.epochs": epochs})
    for seed in range(settings.seed, settings.seed + plan.seeds):
        for rate in rates:
            for variant, own in by_variant.items():
                name = training_name(variant, rate, seed)
                if name in results.values["trainings"]:
                    continue
                changed = {"seed": seed, "training.learning_rate": rate, "name": name}
                record = {
                    **training_key(variant, rate, seed),
                    "units": own.model.units,
                    "overrides": _overrides(with_values(own, changed), variant),
                }
                folder = results.folder / "trainings" / name
                record |= _trained(with_values(own, changed), folder, utterances, on_epoch)
                results.values["trainings"][name] = record
                results.save()
                keras.backend.clear_session()


def training_name(variant: Variant, learning_rate: float, seed: int) -> str:
    """Such as lstm-0.002-seed1."""
    return f"{variant.name}-{learning_rate:g}-seed{seed}"


def training_key(variant: Variant, learning_rate: float, seed: int) -> dict:
    """What tells a training from the others, as its results have it."""
    of_variant = {"variant": variant.name, "cell": variant.cell, "form": variant.form}
    return {**of_variant, "seed": seed, "learning_rate": learning_rate}


def _tested(settings: Config) -> tuple[str, list[Utterance]]:
    """The split that trained models are measured on, and its utterances: the same for all seeds."""
    split = "test" if settings.data.test else "valid"
    found = list(sources.read(getattr(settings.data, split), settings, split, Skipped())(0))
    normalize = normalizer(settings)
    return split, [utterance for utterance in found if normalize(utterance.transcript)]


def _described(split: str, utterances: list[Utterance], settings: Config, units) -> dict:
    normalize = normalizer(settings)
    return {
        "split": split,
        "words": [len(units.without_others(normalize(utterance.transcript)).split()) for utterance in utterances],
        "speakers": [utterance.speaker for utterance in utterances],
    }


def _epochs(settings: Config, variant: Variant, minutes: float, results: Results) -> int:
    """How many take so many minutes, by the second of two: the first also compiles."""
    timing = results.values["timing"]
    if variant.name not in timing:
        folder = results.folder / "timing" / variant.name
        metrics = train(with_values(settings, {"training.epochs": 2, "training.patience": None}), folder)
        timing[variant.name] = metrics["epochs"][1]["seconds"]
        results.save()
        shutil.rmtree(folder)
        keras.backend.clear_session()
    return max(1, round(60 * minutes / timing[variant.name]))


def _overrides(settings: Config, variant: Variant) -> list[str]:
    """What train.py needs beside the configuration's file to train the same."""
    training = settings.training
    values = {**variant.values, "model.units": settings.model.units, "seed": settings.seed, "name": settings.name}
    values |= {"training.learning_rate": training.learning_rate, "training.epochs": training.epochs}
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in values.items()]


def _trained(settings: Config, folder: Path, utterances: list[Utterance], on_epoch: Callable) -> dict:
    """What came out of a training."""
    steps = _Steps()
    record: dict = {"failed": None}
    try:
        metrics = train(settings, folder, lambda epoch: on_epoch(settings.name, epoch), [steps])
    except InputError:
        raise  # the others would fail alike
    except (PipelineError, tf.errors.OpError) as error:
        log.warning("%s failed: %s", settings.name, error)
        return {**record, "failed": " ".join(str(error).split()), "epochs": _epochs_so_far(folder)}
    epochs = metrics["epochs"]
    record |= {"epochs": epochs, "best": metrics["best"], "seconds": sum(epoch["seconds"] for epoch in epochs)}
    # The first epoch also compiles.
    record["epoch_seconds"] = float(np.median([epoch["seconds"] for epoch in epochs[1:] or epochs]))
    record["step_seconds"] = record["epoch_seconds"] / steps.count if steps.count else None
    return {**record, **measure(Run(folder), utterances)}


def measure(run: Run, utterances: list[Utterance]) -> dict:
    """The best model of a run on utterances, one after another: error rates, errors in each, cost.

    Raises:
        InputError: an utterance cannot be read: other models' errors would be of others.
    """
    settings, units, model, _ = run.load()
    skipped = Skipped()
    normalize = normalizer(settings)
    transcribe = transcriber(model, settings, units)
    if utterances:
        first = utterances[0].load()
        for length in (len(first), len(first) // 2 + 1):  # so that another length compiles nothing
            transcribe(first[:length])
    found = evaluate(
        transcribe,
        utterances,
        settings.features.lengths_per_second,
        lambda text: units.without_others(normalize(text)),
        skipped,
    )
    if len(skipped):
        raise InputError(f"a comparison's test data must be readable: {skipped.summary(len(utterances))}")
    return {
        "parameters": sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
        "wer": found.rates.wer,
        "cer": found.rates.cer,
        "errors": [word_errors(item.reference, item.hypothesis) for item in found.heard],
        "real_time_factor": found.real_time_factor,
    }


def _epochs_so_far(folder: Path) -> list[dict]:
    path = Run(folder).metrics
    return json.loads(path.read_text(encoding="utf-8"))["epochs"] if path.exists() else []


class _Steps(keras.callbacks.Callback):
    """Counts the steps of an epoch."""

    count = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1
