"""A trained run from inside: gates along an utterance, and gradient flow before and after training, as pictures."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from pipeline.audio import load_audio
from pipeline.config import Config
from pipeline.data import sources
from pipeline.data.batches import Batch, Batches
from pipeline.data.utterances import Example, Examples, Skipped, Utterance, learnable, normalizer
from pipeline.decoding.greedy import greedy
from pipeline.decoding.transcript import Word
from pipeline.decoding.word_times import LAGS, loudness, refine
from pipeline.feature_files import load_features
from pipeline.inspection.gate_plots import draw_gates
from pipeline.inspection.gates import gates_of
from pipeline.inspection.gradient_flow import draw_gradient_flow, gradient_flow, model_alignments
from pipeline.inspection.tensorboard import TensorBoardLog
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units


@dataclass(frozen=True)
class Inside:
    """What was found: an object of numbers for each recurrent layer, and the pictures' paths."""

    layers: list[dict]
    pictures: list[Path]


def look_inside(
    settings: Config,
    units: Units,
    model: AcousticModel,
    folder: Path,
    logs: Path,
    epoch: int,
    files: list[str] = (),
    utterances: int = 8,
) -> Inside:
    """Draws gates.png of each layer for one utterance, and gradient_flow.png for all of them.

    Args:
        settings, units, model: of the run, as `Run.load` gives them.
        folder: where the pictures go.
        logs: the run's TensorBoard log, which gets them too.
        epoch: that the weights are of.
        files: to look at, the first one's gates; default: validation utterances from short to long, the gates of the
            one in the middle.
        utterances: how many of those.

    Raises:
        InputError: a file or the validation data cannot be read, or no label fits into an utterance's frames.
    """
    if files:
        chosen = Examples([_of_file(file, settings, units, model) for file in files], normalizer(settings), units)
    else:
        chosen = _some_of_valid(settings, units, utterances)
    examples, (inputs, labels) = _one_batch(chosen, settings)
    names = [example.utterance.name for example in examples]
    shown = names.index(files[0]) if files else len(examples) // 2
    length = int(inputs["lengths"][shown])
    one = {model.input_name: inputs[model.input_name][shown : shown + 1, :length], "lengths": np.array([length])}

    log, pictures = TensorBoardLog(logs), {}
    words, layers = heard_words(model, units, one), gates_of(model, one)
    frame_seconds = settings.features.frame_seconds
    for gates in layers:
        figure = draw_gates(gates, words, frame_seconds)
        pictures[f"gates_{gates.layer.replace(', ', '_')}.png"] = f"gates/{gates.layer}", figure

    places = model_alignments(model, inputs, labels)
    trained = gradient_flow(model, inputs, labels, places)
    untrained = gradient_flow(initial_model(model, settings, units), inputs, labels, places)
    figure = draw_gradient_flow({"untrained": untrained, "trained": trained})
    pictures["gradient_flow.png"] = "gradient flow/untrained and trained", figure
    for file, (name, figure) in pictures.items():
        figure.savefig(folder / file)
        log.picture(epoch, name, figure)
    log.close()

    numbers = []
    for number, layer in enumerate(model.recurrent):
        own = [gates.time_constants for gates in layers if gates.layer.split(",")[0] == layer.name]
        known = [np.median(constants, axis=0) for constants in own if constants is not None]
        numbers.append(
            {
                "layer": layer.name,
                "reach_seconds": round(float(trained.reach()[number]) * frame_seconds, 3),
                "untrained_reach_seconds": round(float(untrained.reach()[number]) * frame_seconds, 3),
                "farthest_seconds": round(trained.farthest_seconds, 3),
                "time_constant_seconds": round(float(np.median(known)) * frame_seconds, 3) if known else None,
                "utterance": names[shown],
            }
        )
    return Inside(numbers, [folder / file for file in pictures])


def heard_words(model: AcousticModel, units: Units, inputs: dict[str, np.ndarray]) -> tuple[Word, ...]:
    """What a model hears in a batch of one utterance, greedily; of audio the words where they are heard."""
    features = model.settings.features
    outputs = model(inputs, training=False)
    log_probs = ops.convert_to_numpy(ops.log_softmax(outputs["logits"]))[0, : int(outputs["frames"][0])]
    words = greedy(log_probs, units, features.frame_seconds).words
    if features.input == "features":
        return words
    return refine(words, loudness(inputs["audio"][0], features.sample_rate), LAGS[units.kind])


def initial_model(model: AcousticModel, settings: Config, units: Units) -> AcousticModel:
    """The same model before it was trained, but for the normalization, by the run's seed."""
    keras.utils.set_random_seed(settings.seed)
    initial = AcousticModel(settings, len(units), portable=True)
    for variable, trained in zip(initial.normalization.weights, model.normalization.weights, strict=True):
        variable.assign(trained)
    return initial


def _of_file(file: str, settings: Config, units: Units, model: AcousticModel) -> Utterance:
    """With what the model hears for a transcript."""
    features = settings.features
    if features.input == "features":
        signal = load_features(file, features.coefficients)
    else:
        signal = load_audio(file, features.sample_rate)
    inputs = {model.input_name: signal[None], "lengths": np.array([len(signal)])}
    text = " ".join(word.word for word in heard_words(model, units, inputs))
    return Utterance(file, text, None, len(signal), lambda: signal)


def _some_of_valid(settings: Config, units: Units, count: int) -> Examples:
    found = learnable(sources.read(settings.data.valid, settings, "valid", Skipped())(0), settings, units, Skipped())
    order = np.argsort(found.samples, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
    return Examples([found[order[place]].utterance for place in places], normalizer(settings), units)


def _one_batch(examples: Examples, settings: Config) -> tuple[list[Example], Batch]:
    together = {"batch_size": len(examples), "batch_seconds": None, "most_skipped": 0.0}
    settings = settings.model_copy(update={"data": settings.data.model_copy(update=together)})
    return next(Batches(lambda epoch: examples, settings, Skipped()).of_epoch(0))
