"""The sections of a comparison's report beside error rates and cost: learning rates, gradients, memory, adding."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline.inspection.gradient_flow import told_reach
from pipeline.study import plots
from pipeline.study.adding import GUESSING, RIGHT_WITHIN
from pipeline.study.document import Block, Heading, Picture, Table, Text
from pipeline.study.memory_sequences import KINDS

FLOWS = {"new": "plots/gradient_flow_new.png", "trained": "plots/gradient_flow_trained.png"}
"""Where the pictures of gradient flow lie, relative to the report's folder, by the weights' state."""


def by_variant(records: Iterable[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for record in records:
        found.setdefault(record["variant"], []).append(record)
    return found


def succeeded(trainings: list[dict]) -> list[dict]:
    return [training for training in trainings if training["failed"] is None]


def rate_blocks(folder: Path, trainings: list[dict]) -> list[Block]:
    rates = sorted({training["learning_rate"] for training in trainings})
    if len(rates) < 2:
        return []
    rows = []
    for variant, own in by_variant(trainings).items():
        row, means = [variant], []
        for rate in rates:
            at = [training for training in own if training["learning_rate"] == rate]
            good = succeeded(at)
            means += [float(np.mean([training["wer"] for training in good]))] if good else []
            failed = f" ({len(at) - len(good)} failed)" if len(good) < len(at) else ""
            row.append(f"{means[-1]:.1%}{failed}" if good else "failed" if at else "")
        failed = sum(training["failed"] is not None for training in own)
        row += [f"{100 * (max(means) - min(means)):.1f}" if means else "", f"{failed} of {len(own)}"]
        rows.append(row)
    plots.plot_rates(folder / "plots" / "learning_rates.png", trainings)
    return [
        Heading("Spread over learning rates"),
        Text(
            "Mean word error rate on the test data over the seeds; the spread is from the best rate to the worst, in "
            "points."
        ),
        Table(["variant", *(f"{rate:g}" for rate in rates), "spread", "failed"], rows),
        Picture(
            "plots/learning_rates.png", "Word error rate on the test data against the learning rate; a cross failed"
        ),
    ]


def gradient_blocks(values: dict) -> list[Block]:
    reaches = values.get("gradients")
    if not reaches:
        return []
    rows = [
        [
            own["training"],
            *(
                ", ".join(told_reach(seconds, own.get("farthest", math.inf)) for seconds in own[state])
                for state in FLOWS
            ),
        ]
        for own in reaches.values()
    ]
    caption = "Norm of a label's gradient at the hidden states before it, over that at its own frame: {}"
    return [
        Heading("Gradient flow"),
        Text(
            "How long before a label's frame its gradient still has 1 % of the norm that it has there, in each "
            "recurrent layer: geometric means over labels of the longest validation utterances, of each variant's best "
            "training by the validation data, its network as it was drawn and when it had learnt."
        ),
        Table(["training", "new", "trained"], rows),
        Picture(FLOWS["new"], caption.format("before training")),
        Picture(FLOWS["trained"], caption.format("after training")),
    ]


def memory_blocks(folder: Path, values: dict) -> list[Block]:
    if not values["memory"]:
        return []
    task, words, records = values["memory_task"], values["memory_words"], list(values["memory"].values())
    failed = [name for name, record in values["memory"].items() if record["failed"] is not None]
    kept = []
    for own in by_variant(succeeded(records)).values():
        by_rate = {record["learning_rate"]: [] for record in own}
        for record in own:
            by_rate[record["learning_rate"]].append(record["valid"])
        best = max(by_rate, key=lambda rate, by_rate=by_rate: np.mean(by_rate[rate]))
        kept += [record for record in own if record["learning_rate"] == best]
    rows = [
        [
            f"{variant}, {kind}",
            f"{own[0]['learning_rate']:g}",
            str(len(own)),
            *(f"{share:.0%}" for share in np.mean([record["success"][kind] for record in own], axis=0)),
        ]
        for variant, own in by_variant(kept).items()
        for kind in KINDS
    ]
    speech = "the configuration's clips" if task["speech"] == "config" else "synthesized digits"
    blocks: list[Block] = [
        Heading("Memory"),
        Text(
            f"The first word of a string, one of {len(words)}, must be told d seconds after its end, when silence, "
            f"noise or other words of the same speaker have come between: made of {speech}, {task['steps']} steps of "
            f"{task['batch']} sequences a training, tested with {task['tested']} sequences of speakers never heard for "
            f"each kind and delay. Chance is {1 / len(words):.0%}. Means over the seeds; of several learning rates the "
            f"one that does best on validation clips.{' Failed: ' + ', '.join(failed) + '.' if failed else ''}"
        ),
        Table(["variant, between", "learning rate", "seeds", *(f"{delay:g} s" for delay in task["delays"])], rows),
    ]
    if kept:
        plots.plot_memory(folder / "plots" / "memory.png", kept, task["delays"], list(KINDS), len(words))
        caption = "First word told against the delay; bands from the worst seed to the best, dashed: chance"
        blocks.append(Picture("plots/memory.png", caption))
    return blocks


def adding_blocks(values: dict) -> list[Block]:
    if not values["adding"]:
        return []
    rows = [
        [
            name,
            *(str(each[key]) for key in ("steps", "units", "parameters")),
            f"{each['error']:.5f}",
            f"{each['right']:.0%}",
        ]
        for name, each in values["adding"].items()
    ]
    return [
        Heading("Adding problem"),
        Text(
            "A check of cells and training on numbers (Hochreiter & Schmidhuber 1997): the mean squared error on "
            f"sequences not learnt from, where always to say 0.5 has {GUESSING:.4f}, and the share off by "
            f"less than {RIGHT_WITHIN:g}."
        ),
        Table(["cell, length, seed", "steps", "units", "parameters", "squared error", "right"], rows),
    ]
