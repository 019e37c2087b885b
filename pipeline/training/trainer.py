"""Training: a configuration in, a run's folder out, by `model.fit`."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipeline.config import Config, Features
from pipeline.data.batches import Batches
from pipeline.data.splits import Splits, load_splits
from pipeline.data.utterances import Skipped
from pipeline.errors import PipelineError
from pipeline.inspection.tensorboard import TensorBoardLog
from pipeline.models.acoustic import AcousticModel
from pipeline.models.recurrent import cell_named
from pipeline.text import Units
from pipeline.training.backend import compiled, is_jax, make_deterministic
from pipeline.training.callbacks import EpochOrder, Keeper, Validation, Vitals
from pipeline.training.checkpoint import save_checkpoint
from pipeline.training.optimizer import make_optimizer
from pipeline.training.panels import Panels
from pipeline.training.profile import Profile
from pipeline.training.run import Run, write_json
from pipeline.training.start import start_from

log = logging.getLogger(__name__)

_STATISTICS_SECONDS = 3600
"""Of audio that means and variances are taken from: batches come in random order."""


def train(
    settings: Config,
    folder: str | Path,
    on_epoch: Callable[[dict], None] = lambda epoch: None,
    callbacks: list[keras.callbacks.Callback] = (),
    profile: bool = False,
) -> dict:
    """Trains a model, or goes on with the training in `folder` where its last whole epoch ended.

    Args:
        settings: the whole configuration.
        folder: the run's, such as runs/NAME.
        on_epoch: called after each epoch with what metrics.json then holds of it.
        callbacks: more of Keras's, a progress bar for example.
        profile: TensorBoard gets the model's graph, and one step as the profiler saw it.

    Returns:
        What metrics.json holds: "epochs", a list of one object each; "best", the one with the lowest character error
        rate, whose weights are kept; "finished".

    Raises:
        InputError: the data cannot be used, or the folder holds a run of another configuration.
        PipelineError: the loss is not finite.
    """
    cell_named(settings.model.cell)  # a mistake here is told before data is read
    run = Run(folder)
    run.prepare(settings)
    make_deterministic()
    skipped = Skipped()
    with skipped.listed_in(run.skipped):  # some turn out to be unusable only when they are read
        splits = load_splits(settings, Units.load(run.units) if run.last.exists() else None, is_jax(), skipped)
        splits.skipped.save(run.skipped)
        splits.units.save(run.units)
        metrics = _learn(settings, run, splits, on_epoch, callbacks, profile)
    if len(splits.skipped):
        log.warning("%s, listed in %s", splits.told(), run.skipped)
    return metrics


def _learn(
    settings: Config,
    run: Run,
    splits: Splits,
    on_epoch: Callable[[dict], None],
    callbacks: list[keras.callbacks.Callback],
    profile: bool,
) -> dict:
    """What `train` does once the data is there."""
    keras.utils.set_random_seed(settings.seed)  # not before: to prepare a set of TFDS draws numbers as well
    model = AcousticModel(settings, len(splits.units))
    if not settings.training.epochs:
        return _keep_start(settings, run, splits, model)
    optimizer = make_optimizer(settings.training, splits.train.count())
    optimizer.build(model.trainable_variables)
    # TensorFlow's compiler makes recurrent layers slower, and would compile anew for every length of a batch.
    model.compile(optimizer=optimizer, jit_compile=is_jax())
    validation = Validation(splits.valid, splits.units, settings)
    board = TensorBoardLog(run.logs)
    keeper = Keeper(run, settings, validation, board, on_epoch)
    if run.last.exists():
        keeper.resume(model)
        log.info("%s: going on after epoch %d of %d", run.folder, len(keeper.epochs), settings.training.epochs)
    elif settings.training.start:
        _start(model, settings, splits.units)
    elif settings.features.normalization == "global":
        model.normalization.set_statistics(*statistics(model, splits.train))
    if not keeper.finished:
        warnings.filterwarnings("ignore", "Your input ran out of data")  # as it does at each epoch's end
        dataset = _dataset(splits.train, settings.features)
        inspecting = []
        if settings.training.pictures:
            inspecting.append(Panels(settings, splits.units, splits.train, validation, board))
        if profile:
            inspecting.append(Profile(run, board, dataset.element_spec[0]))
        try:
            model.fit(
                dataset,
                epochs=settings.training.epochs,
                initial_epoch=len(keeper.epochs),
                callbacks=[EpochOrder(splits.train), *callbacks, Vitals(splits.train), validation, keeper, *inspecting],
                shuffle=False,  # the batches are shuffled already
                verbose=0,
            )
        finally:
            board.close()
            splits.skipped.save(run.skipped)
    return keeper.metrics


def _start(model: AcousticModel, settings: Config, units: Units) -> None:
    folders = settings.training.starts
    new = start_from(model, units, folders)
    told = f"the mean of {', '.join(folders)}" if len(folders) > 1 else folders[0]
    log.info("starting from %s%s", told, f"; new: {' '.join(map(repr, new))}" if new else "")


def _keep_start(settings: Config, run: Run, splits: Splits, model: AcousticModel) -> dict:
    """What `train` does of no epochs: the run's best model is what it starts from."""
    _start(model, settings, splits.units)
    validation = Validation(splits.valid, splits.units, settings)
    validation.set_model(model)
    validation.on_train_begin()
    best = {"epoch": 0, **{name: round(value, 6) for name, value in validation.measure().items()}}
    metrics = {"finished": True, "best": best, "epochs": []}
    for path in (run.best, run.last):
        save_checkpoint(path, model.variables, best)
    write_json(run.metrics, metrics)
    return metrics


def _dataset(batches: Batches, features: Features) -> tf.data.Dataset:
    """Two batches are made ready while one is learnt from."""
    signal, labels = tf.TensorSpec(features.batch_shape, tf.float32), tf.TensorSpec([None, None], tf.int32)
    lengths = tf.TensorSpec([None], tf.int32)
    targets = {"labels": labels, "label_lengths": lengths, "onsets": lengths}
    signature = {features.input: signal, "lengths": lengths}, targets
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature).prefetch(2)


def statistics(model: AcousticModel, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance float64 [coefficients] of features of about an hour of the training data, not augmented."""
    features_of = compiled(model, model.features_of)
    count, total, squares, heard = 0, 0.0, 0.0, 0
    for _, (inputs, _) in batches.of_epoch(0, augment=False):
        values, frames = features_of(inputs[model.input_name], inputs["lengths"])  # zero past an utterance's frames
        values = ops.convert_to_numpy(values).astype(np.float64)
        count += int(ops.convert_to_numpy(frames).sum())
        total = total + values.sum(axis=(0, 1))
        squares = squares + (values**2).sum(axis=(0, 1))
        heard += int(inputs["lengths"].sum())
        if heard > _STATISTICS_SECONDS * model.settings.features.lengths_per_second:
            break
    if not count:
        raise PipelineError("no training utterance could be read")
    mean = total / count
    return mean, squares / count - mean**2
