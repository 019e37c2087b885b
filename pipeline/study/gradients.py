"""Gradient flow through time of the networks that a comparison trained, as one picture."""

from pathlib import Path

from pipeline.study.report_tasks import GRADIENT_FLOW
from pipeline.study.results import Results
from pipeline.training.run import Run


def draw_gradient_flow(results: Results) -> bool:
    """Draws the flow of each variant's first training that did not fail, on a batch of its validation data.

    Returns:
        Whether there is a picture: inspection may have no such measurement.
    """
    try:
        from pipeline.inspection.gradient_flow import gradient_flow, plot_gradient_flow
    except ImportError:
        return False
    from pipeline.data.splits import load_splits

    first: dict[str, str] = {}
    for name, training in results.values["trainings"].items():
        if training["failed"] is None:
            first.setdefault(training["variant"], name)
    flows = {}
    for variant, name in first.items():
        settings, units, model, _ = Run(results.folder / "trainings" / name).load()
        _, (inputs, labels) = next(load_splits(settings, units).valid.of_epoch(0))
        flows[variant] = gradient_flow(model, inputs, labels)
    if not flows:
        return False
    path = results.folder / Path(GRADIENT_FLOW)
    path.parent.mkdir(parents=True, exist_ok=True)
    plot_gradient_flow(path, flows)
    return True
