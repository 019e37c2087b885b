"""The memory task on speech: for how many seconds does a network remember the first word of a string?

The network is the acoustic model itself, its features, its recurrent layers and its output layer. Instead of by CTC it
learns by the cross-entropy of its scores at a sequence's last frame, when the first word is to be told; the score of
the blank is left out. Sequences are made up on the fly (`memory_sequences`): the word, and then silence, noise or other
words for d seconds. One training has all delays from the shortest to the longest, drawn evenly by their logarithm,
where the longest grows over the first GROWTH of its steps; it is then tested at each delay on sequences of speakers
that it never heard, the same ones for every network. By chance one of so many words is right. A network that reads in
both directions would have nothing to remember, so there are none here.
"""

import itertools
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipeline.config import Config, with_values
from pipeline.errors import InputError, PipelineError
from pipeline.models.acoustic import AcousticModel
from pipeline.study.clips import Clip, clips_of, single_words, synthesized_digits
from pipeline.study.memory_sequences import KINDS, Sequences
from pipeline.study.results import Results
from pipeline.study.trainings import Plan, training_key, training_name
from pipeline.study.variants import matched
from pipeline.training.backend import compiled, is_jax
from pipeline.training.optimizer import make_optimizer
from pipeline.training.trainer import statistics

log = logging.getLogger(__name__)

DELAYS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds."""

GROWTH = 0.6
"""Share of a training's steps over which the longest delay grows from the shortest."""

_PARTS = 20
"""Of a training, with a value of the loss each; the first of them is the learning rate's warm-up."""

_STATISTICS_BATCHES = 20


@dataclass(frozen=True)
class MemoryTask:
    """What is learnt and tested.

    Attributes:
        delays: seconds from the end of the word to the end of the sequence.
        steps: of a training.
        batch: sequences in a step.
        tested: sequences of each kind with each delay.
        speech: "config", the configuration's own single words; or "synthesized" digits.
    """

    delays: tuple[float, ...] = DELAYS
    steps: int = 1500
    batch: int = 32
    tested: int = 200
    speech: str = "config"


class LastFrameModel(AcousticModel):
    """The acoustic model, learning to name a sequence's label at its last frame.

    Its labels are {"labels": int32 [batch]}, from 0 on.
    """

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean cross-entropy in nats."""
        scores = last_scores(y_pred)
        return ops.mean(keras.losses.sparse_categorical_crossentropy(y["labels"], scores, from_logits=True))


def last_scores(outputs: dict):
    """float32 [batch, labels]: a model's scores at each sequence's last frame, without the blank's."""
    last = ops.maximum(outputs["frames"] - 1, 0)[:, None, None]
    return ops.take_along_axis(outputs["logits"], last, axis=1)[:, 0, 1:]


def check_memory(settings: Config, task: MemoryTask) -> None:
    """Raises: InputError: the task cannot be made of the configuration's speech; to be told before long trainings."""
    if settings.features.input != "audio":
        raise InputError("features.input = audio wanted for the memory task, which makes up audio (or --memory none)")
    if task.speech == "config":
        single_words(settings)


def run_memory(
    settings: Config,
    plan: Plan,
    task: MemoryTask,
    results: Results,
    tell: Callable[[str, dict], None] = lambda name, record: None,
) -> None:
    """Trains and tests what the results have not; those that fail are noted and left behind.

    Args:
        settings: what variants are made of.
        plan: its variants but those that read in both directions, its seeds and learning rates.
        task: see above.
        results: what `run_trainings` with the same settings gave; what is found is noted under "memory".
        tell: called with a name and what was found.

    Raises:
        InputError: the sources have no single words, or the results are of another task.
    """
    check_memory(settings, task)
    rates = plan.learning_rates or (settings.training.learning_rate,)
    seeds = range(settings.seed, settings.seed + plan.seeds)
    wanted = [
        (variant, rate, seed)
        for seed, rate, variant in itertools.product(seeds, rates, plan.variants)
        if not variant.is_bidirectional and training_name(variant, rate, seed) not in results.values["memory"]
    ]
    told = {"delays": list(task.delays), "steps": task.steps, "batch": task.batch, "tested": task.tested}
    results.once("memory_task", {**told, "speech": task.speech})
    if not wanted:
        return
    words, clips = (clips_of if task.speech == "config" else synthesized_digits)(settings)
    results.once("memory_words", words)
    for variant, rate, seed in wanted:
        name = training_name(variant, rate, seed)
        own = matched(settings, variant, 1 + len(words), results.values["parameters"], 2 * plan.tolerance)
        own = with_values(own, {"seed": seed, "training.learning_rate": rate})
        record = training_key(variant, rate, seed)
        try:
            record |= {"failed": None, **remember(own, words, clips, task, settings.seed)}
        except (PipelineError, tf.errors.OpError) as error:
            record["failed"] = " ".join(str(error).split())
        results.values["memory"][name] = record
        results.save()
        tell(name, record)
        keras.backend.clear_session()


def remember(
    settings: Config, words: list[str], clips: dict[str, list[Clip]], task: MemoryTask, test_seed: int = 0
) -> dict:
    """Trains one network and tests it.

    Args:
        settings: the network's, and how it learns.
        words: that clips are of.
        clips: by split; `train` and `test` share no speaker.
        task: see above.
        test_seed: of the sequences it is tested on.

    Returns:
        "success" by kind, a share for each delay; "valid", that of all kinds and delays together on validation clips;
        "loss", a list; "seconds" of training; "units" a layer and "parameters".

    Raises:
        PipelineError: the loss is not finite.
    """
    keras.utils.set_random_seed(settings.seed)
    rate = settings.features.sample_rate
    sequences = {split: Sequences(own, rate) for split, own in clips.items()}
    parts = min(_PARTS, task.steps)
    steps = math.ceil(task.steps / parts)
    learning = settings.training.model_copy(update={"epochs": parts, "warmup_epochs": 1.0})
    settings = settings.model_copy(
        update={"training": learning, "data": settings.data.model_copy(update={"batch_size": task.batch})}
    )
    model = LastFrameModel(settings, 1 + len(words))
    optimizer = make_optimizer(learning, steps)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=is_jax())
    delays = min(task.delays), max(task.delays)
    if settings.features.normalization == "global":
        model.normalization.set_statistics(*statistics(model, _Some(sequences["train"], settings, task, delays)))
    begin = time.perf_counter()
    history = model.fit(
        _dataset(sequences["train"], settings.seed, task, delays),
        epochs=parts,
        steps_per_epoch=steps,
        callbacks=[keras.callbacks.TerminateOnNaN()],
        shuffle=False,  # they are random already
        verbose=0,
    ).history["loss"]
    seconds = time.perf_counter() - begin
    if not np.isfinite(history).all():
        raise PipelineError(f"the loss is {history[-1]} in part {len(history)} of {parts} of a training")
    with model.optimizer.averaged():
        success = _tested(model, sequences["test"], task, test_seed)
        valid = _tested(model, sequences["valid"], task, test_seed)
    return {
        "success": success,
        "valid": float(np.mean(list(valid.values()))),
        "loss": [round(float(loss), 5) for loss in history],
        "seconds": seconds,
        "units": settings.model.units,
        "parameters": sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
    }


def _tested(model: LastFrameModel, sequences: Sequences, task: MemoryTask, seed: int) -> dict[str, list[float]]:
    """The share of sequences whose first word is told, by kind, for each delay."""

    def name_word(inputs):
        return ops.argmax(last_scores(model(inputs, training=False)), axis=-1)

    told = compiled(model, name_word)
    success: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for (number, delay), kind in itertools.product(enumerate(task.delays), KINDS):
        random, right, left = np.random.default_rng([seed, number, *kind.encode()]), 0, task.tested
        while left:
            inputs, labels = sequences.batch(random, min(left, 50), delay, kind)
            right += int((ops.convert_to_numpy(told(inputs)) == labels["labels"]).sum())
            left -= len(labels["labels"])
        success[kind].append(right / task.tested)
    return success


@dataclass(frozen=True)
class _Some:
    """A few batches, in the form that `statistics` takes."""

    sequences: Sequences
    settings: Config
    task: MemoryTask
    delays: tuple[float, float]

    def of_epoch(self, epoch: int, augment: bool):
        random = np.random.default_rng([self.settings.seed, epoch, *b"memory statistics"])
        for batch in itertools.islice(self.sequences.batches(random, 32, self.delays), _STATISTICS_BATCHES):
            yield [], batch


def _dataset(sequences: Sequences, seed: int, task: MemoryTask, delays: tuple[float, float]) -> tf.data.Dataset:
    signature = (
        {"audio": tf.TensorSpec([None, None], tf.float32), "lengths": tf.TensorSpec([None], tf.int32)},
        {"labels": tf.TensorSpec([None], tf.int32)},
    )
    random, growth = np.random.default_rng([seed, *b"memory"]), round(GROWTH * task.steps)
    return tf.data.Dataset.from_generator(
        lambda: sequences.batches(random, task.batch, delays, growth), output_signature=signature
    ).prefetch(2)
