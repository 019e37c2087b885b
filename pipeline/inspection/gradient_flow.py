"""How far back in time a gradient reaches: the norm of dL/dh_t by the distance from the label whose loss L is.

For one label y that an alignment gives to frame s, the loss is L = -log p(y | frame s), of that frame alone. CTC's own
loss is about all frames at once, so that in it the gradient which a frame sends itself would hide what reaches it from
afar. dL/dh_t is the total derivative: by every path from the output h_t of a recurrent layer to L, through all later
frames of that layer and through the layers above (Pascanu et al., "On the difficulty of training recurrent neural
networks", ICML 2013, eq. 3 to 5). It is found by adding zeros to every state and asking for the gradient with respect
to them, which works for any cell.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import ops

from pipeline.decoding.alignment import align
from pipeline.errors import InputError
from pipeline.models.recurrent import Bidirectional

LABELS = 8
"""Of an utterance that are asked about, evenly spread over it."""
LOWEST = 1e-12
"""Of a plot's vertical axis."""
_SMALLEST = 1e-30
"""What stands for a norm of zero in a geometric mean; float32 has few numbers below it."""


@dataclass(frozen=True)
class GradientFlow:
    """Means over the labels of an utterance, then over the utterances that have labels so far from a frame.

    Attributes:
        distances: int [distances], in frames: s - t; less than 0 only where layers also read from the end.
        norms: float64 [layers, distances], the mean of |dL/dh_t|; both directions' outputs are one h_t.
        relative: float64 [layers, distances], the geometric mean of each label's norm over its own at distance 0. It
            does not depend on how sure a model is of its labels, so models can be compared by it.
        cell_norms: float64 [layers, distances], the mean of |dL/dc_t| of a second state, an LSTM's; None without.
        labels: int [distances], how many labels a mean is of.
        frame_seconds: from one frame to the next.
    """

    distances: np.ndarray
    norms: np.ndarray
    relative: np.ndarray
    cell_norms: np.ndarray | None
    labels: np.ndarray
    frame_seconds: float

    def reach(self, share: float = 0.01) -> np.ndarray:
        """int [layers]: the distance in frames up to which `relative` stays at that share or above."""
        past = self.relative[:, self.distances >= 0]
        below = np.concatenate([past < share, np.ones((len(past), 1), bool)], axis=1)
        return np.maximum(below.argmax(axis=1) - 1, 0)

    @property
    def farthest_seconds(self) -> float:
        """The longest distance; a gradient that reaches as far as that reaches farther."""
        return float(self.distances.max()) * self.frame_seconds


def told_reach(seconds: float, farthest: float) -> str:
    """Such as: 0.15 s, or: more than 1.05 s."""
    return f"{'more than ' if seconds > farthest - 1e-3 else ''}{seconds:.2f} s"


def gradient_flow(
    model: keras.Model,
    inputs: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    alignments: list[np.ndarray] | None = None,
    most_labels: int = LABELS,
) -> GradientFlow:
    """Of a model with its present weights, in inference (without dropout), on a batch of utterances.

    Labels of which the model is so sure that their gradient is zero in float32 are left out.

    Args:
        model: an `AcousticModel` of any registered cell whose output is its first state.
        inputs, labels: a batch as `Batches` gives it.
        alignments: of each utterance int [labels], the frame of each label; default: those of the best path that the
            model itself finds. Weights that have learnt nothing know of no alignment: give that of others.
        most_labels: of an utterance that are asked about.

    Raises:
        InputError: no label has a gradient, or no utterance's labels fit into its frames.
    """
    values, frames = model.front_end(inputs[model.input_name], inputs["lengths"])
    values, frames = (ops.convert_to_numpy(tensor) for tensor in model.stack(values, frames))
    alignments = model_alignments(model, inputs, labels) if alignments is None else alignments
    silent = model.settings.features.silent_frames  # before the first frame that has a score
    size, gradients, found = int(frames.max()), _gradients_of(model), []
    for row, count, units, places in zip(values, frames, labels["labels"], alignments, strict=True):
        if len(places):
            chosen = np.unique(np.linspace(0, len(places) - 1, min(most_labels, len(places))).round().astype(int))
            places, wanted = np.asarray(places)[chosen] + silent, np.asarray(units)[chosen]
            copies = np.repeat(row[None, :count], len(chosen), axis=0)
            norms = [_state_norms(gradients, model, copies[at], places[at], wanted[at]) for at in _pieces(len(chosen))]
            found.append(_by_distance(np.concatenate(norms, axis=2), places, size))
    if not any(counts.any() for _, counts in found):
        raise InputError(
            "gradient flow: at least one label with a gradient, of an utterance whose labels fit into its frames, "
            "wanted, got none"
        )
    return _mean(found, size, model)


def model_alignments(model, inputs: dict, labels: dict) -> list[np.ndarray]:
    """int [labels] for each utterance: the frame in which each label begins on the best path; empty if none fits."""
    outputs = model(inputs, training=False)
    log_probs, frames = (
        ops.convert_to_numpy(tensor) for tensor in (ops.log_softmax(outputs["logits"]), outputs["frames"])
    )
    places = []
    for scores, count, units, length in zip(log_probs, frames, labels["labels"], labels["label_lengths"], strict=True):
        runs = align(scores[:count], units[:length].tolist())
        places.append(np.array([run.start for run in runs or []], int))
    return places


def _state_norms(gradients, model, values: np.ndarray, frames: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The norm of each frame's dL/dstate.

    Args:
        gradients: `_gradients_of(model)`.
        model: see `gradient_flow`.
        values: float32 [labels, frames, inputs], what the first recurrent layer takes.
        frames: int [labels], in which each label is.
        units: int [labels].

    Returns:
        float64 [states, layers, labels, frames]: of the outputs, and of the cell state if layers have one.
    """
    batch, time = values.shape[:2]
    zeros = [
        [[np.zeros((time, batch, size), np.float32) for size in _sizes(part)] for part in _directions(layer)]
        for layer in model.recurrent
    ]
    picked = np.zeros((batch, time, model.logits.units), np.float32)
    picked[np.arange(batch), frames, units] = 1.0
    by_layer = []
    for parts in gradients(zeros, values, picked):
        squares = [[np.square(gradient, dtype=np.float64).sum(axis=-1) for gradient in part] for part in parts]
        if len(squares) == 2:
            squares[1] = [square[::-1] for square in squares[1]]
        by_layer.append([np.sqrt(np.sum(state, axis=0)).T for state in zip(*squares, strict=True)])
    return np.stack([[layer[state] for layer in by_layer] for state in range(len(by_layer[0]))])


def draw_gradient_flow(flows: dict[str, GradientFlow], styles: dict[str, dict] | None = None):
    """A matplotlib figure of `relative` by distance: a panel for each recurrent layer, a line for each name.

    Args:
        flows: by name.
        styles: matplotlib's properties of the lines, by name; default: its own.
    """
    from matplotlib.figure import Figure  # here, so that importing this module costs nothing

    layers = max(len(flow.relative) for flow in flows.values())
    figure = Figure(figsize=(1.2 + 4.6 * layers, 3.8), dpi=90)
    panels = figure.subplots(1, layers, squeeze=False, sharey=True)[0]
    for number, axes in enumerate(panels):
        for name, flow in flows.items():
            if number < len(flow.relative):
                seconds = flow.distances * flow.frame_seconds
                shown = np.where(flow.relative[number] >= LOWEST, flow.relative[number], np.nan)
                axes.plot(seconds, shown, label=name, **{"linewidth": 1.2, **(styles or {}).get(name, {})})
        axes.set(yscale="log", xlabel="seconds from a frame to the label after it")
        axes.set_title(f"recurrent layer {number + 1} of {layers}", fontsize=9)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.01)
    panels[0].set_ylabel("norm of dL/dh, over that at the label")
    panels[-1].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def plot_gradient_flow(path: str | Path, flows: dict[str, GradientFlow], styles: dict[str, dict] | None = None) -> None:
    """Saves `draw_gradient_flow`; the path's ending says which format (.svg, .png, .pdf)."""
    draw_gradient_flow(flows, styles).savefig(path, dpi=150)


def _pieces(labels: int) -> list[slice]:
    """So many labels at a time as bound the memory; more at once are also no quicker."""
    return [slice(first, first + LABELS) for first in range(0, labels, LABELS)]


def _directions(layer) -> list:
    return [layer.forward, layer.backward] if isinstance(layer, Bidirectional) else [layer]


def _sizes(layer) -> list[int]:
    sizes = layer.cell.state_size
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


def _perturbed(layer, values, added):
    """A layer's outputs [batch, frames, units], if so much is added to its states [frames, batch, units]."""
    parts = _directions(layer)
    outputs = [_recur(parts[0], values, added[0])]
    if len(parts) == 2:
        outputs.append(ops.flip(_recur(parts[1], ops.flip(values, 1), added[1]), 1))
    return ops.concatenate(outputs, axis=-1) if len(outputs) == 2 else outputs[0]


def _recur(layer, values, added):
    start = layer.get_initial_state(ops.shape(values)[0])
    start = [ops.cast(state, "float32") for state in (start if isinstance(start, list | tuple) else [start])]

    def step(states, now):
        _, after = layer.cell(now[0], list(states))
        after = after if isinstance(after, list | tuple) else [after]
        return tuple(ops.cast(state, "float32") + more for state, more in zip(after, now[1:], strict=True))

    by_time = (ops.transpose(values, (1, 0, 2)), *map(ops.convert_to_tensor, added))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        outputs = tf.scan(step, by_time, tuple(start))[0]
    else:
        outputs = ops.scan(lambda states, now: (step(states, now),) * 2, tuple(start), by_time)[1][0]
    return ops.transpose(outputs, (1, 0, 2))


@functools.lru_cache(maxsize=1)  # tracing the function takes longer than running it
def _gradients_of(model):
    """(zeros added to the states, values, picked) -> dL/dzeros in their form, L summed over `picked`'s frames."""

    def loss(added, values, picked):
        outputs = values
        for number, (layer, parts) in enumerate(zip(model.recurrent, added, strict=True)):
            outputs = model.norms[number](outputs) if model.norms else outputs
            outputs = _perturbed(layer, outputs, parts)
        return -ops.sum(ops.log_softmax(model.logits(outputs)) * picked)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        @tf.function(reduce_retracing=True)
        def gradients(added, values, picked):
            with tf.GradientTape() as tape:
                tape.watch(added)
                result = loss(added, values, picked)
            return tape.gradient(result, added)
    else:
        import jax

        gradients = jax.grad(loss)

    def found(*arrays):
        tensors = keras.tree.map_structure(ops.convert_to_tensor, arrays)
        return keras.tree.map_structure(ops.convert_to_numpy, gradients(*tensors))

    return found


def _by_distance(norms, places, size):
    """[states, layers, labels, frames] -> sums [states + 1, layers, distances] over labels, and their counts.

    The last sum is of the logarithm of the outputs' norms over those at distance 0.
    """
    states, layers, _, time = norms.shape
    sums, counts = np.zeros((states + 1, layers, 2 * size + 1)), np.zeros(2 * size + 1, int)
    for number, place in enumerate(places):
        distances = size + place - np.arange(time)
        outputs = np.maximum(norms[0, :, number], _SMALLEST)
        if outputs[:, place].min() == _SMALLEST:
            continue  # the model is so sure of this label that float32 has no gradient for it
        sums[:states, :, distances] += norms[:, :, number]
        sums[states, :, distances] += np.log(outputs / outputs[:, place, None]).T
        counts[distances] += 1
    return sums, counts


def _mean(found, size, model) -> GradientFlow:
    counts = np.stack([count for _, count in found])
    means = sum(sums / np.maximum(count, 1) for sums, count in found) / np.maximum((counts > 0).sum(axis=0), 1)
    distances = np.arange(-size, size + 1)
    both = any(isinstance(layer, Bidirectional) for layer in model.recurrent)
    kept = (counts.sum(axis=0) > 0) & ((distances >= 0) | both)
    return GradientFlow(
        distances[kept],
        means[0][:, kept],
        np.exp(means[-1][:, kept]),
        means[1][:, kept] if len(means) == 3 else None,
        counts.sum(axis=0)[kept],
        model.settings.features.frame_seconds,
    )
