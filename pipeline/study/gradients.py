"""Gradient flow through time of the networks that a comparison trained, before training and after."""

import keras

from pipeline.data.splits import load_splits
from pipeline.inspection.gradient_flow import GradientFlow, gradient_flow, model_alignments, plot_gradient_flow
from pipeline.models.acoustic import AcousticModel
from pipeline.study.plots import line_style
from pipeline.study.report_tasks import FLOWS
from pipeline.study.results import Results
from pipeline.training.run import Run

STATES = tuple(FLOWS)
"""What is measured: weights as they are drawn, and the best of the training."""
_SHARE = 0.01
"""A gradient reaches as far as it has this share of what it has at its label."""


def measure_gradient_flow(results: Results) -> None:
    """Measures and draws the flow of each variant's best training by the validation data, on the longest of that.

    Both networks of a training are asked about the same labels in the same frames, where the trained one hears them.
    `results` gets how far gradients reach: {"gradients": {variant: {"training": its name, state: seconds in each
    layer, "farthest": seconds that were looked at}}}.
    """
    trainings = {name: each for name, each in results.values["trainings"].items() if each["failed"] is None}
    best: dict[str, str] = {}
    for name, training in trainings.items():
        before = best.setdefault(training["variant"], name)
        if training["best"]["cer"] < trainings[before]["best"]["cer"]:
            best[training["variant"]] = name
    flows: dict[str, dict[str, GradientFlow]] = {state: {} for state in STATES}
    for variant, name in best.items():
        for state, flow in zip(STATES, _before_and_after(Run(results.folder / "trainings" / name)), strict=True):
            flows[state][variant] = flow
    for state, of_variants in flows.items():
        if of_variants:
            path = results.folder / FLOWS[state]
            path.parent.mkdir(parents=True, exist_ok=True)
            styles = {variant: line_style(trainings[best[variant]], 1) for variant in of_variants}
            plot_gradient_flow(path, of_variants, styles)
    results.values["gradients"] = {
        variant: {
            "training": name,
            **{
                state: [float(frames * flow.frame_seconds) for frames in flow.reach(_SHARE)]
                for state, flow in ((state, flows[state][variant]) for state in STATES)
            },
            "farthest": flows[STATES[0]][variant].farthest_seconds,
        }
        for variant, name in best.items()
    }
    results.save()


def _before_and_after(run: Run) -> tuple[GradientFlow, GradientFlow]:
    settings, units, trained, _ = run.load()
    *_, (_, (inputs, labels)) = load_splits(settings, units).valid.of_epoch(0)  # the batch of the longest
    alignments = model_alignments(trained, inputs, labels)
    keras.utils.set_random_seed(settings.seed)
    new = AcousticModel(settings, len(units), portable=True)
    new.normalization.set_weights(trained.normalization.get_weights())
    return tuple(gradient_flow(model, inputs, labels, alignments) for model in (new, trained))
