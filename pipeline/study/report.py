"""A comparison's report, from its results alone."""

import math
import shlex
from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.evaluation.significance import FEWEST_SPEAKERS, Interval, holm, mean_interval
from pipeline.study import plots
from pipeline.study.document import Block, Commands, Heading, Picture, Table, Text, write_report
from pipeline.study.pairs import compared
from pipeline.study.report_tasks import (
    adding_blocks,
    by_variant,
    gradient_blocks,
    memory_blocks,
    rate_blocks,
    succeeded,
)
from pipeline.study.results import Results


def make_report(results: Results) -> None:
    """Writes report.md, report.html and plots/ into the folder of the results.

    Raises:
        InputError: there is no training among them.
    """
    trainings = list(results.values["trainings"].values())
    if not trainings:
        raise InputError(f"{results.path}: results of at least one training wanted, found none")
    chosen = {variant: best_rate(own) for variant, own in by_variant(trainings).items()}
    kept = [training for training in trainings if training["learning_rate"] == chosen[training["variant"]]]
    folder, values = results.folder, results.values
    blocks = [
        *_introduction(values, trainings),
        *_error_rates(values, kept),
        *_costs(kept),
        *_differences(values, kept),
        *_curves(folder, kept),
        *rate_blocks(folder, trainings),
        *gradient_blocks(values),
        *memory_blocks(folder, values),
        *adding_blocks(values),
        *_everything(values),
    ]
    write_report(folder, f"Recurrent cells compared: {values['config']['name']}", blocks)


def best_rate(trainings: list[dict]) -> float:
    """Of a variant's learning rates, the one with the fewest failures and then the lowest mean character error rate on
    the validation data; of those with the most seeds, since one seed says less than the mean of several."""
    by_rate: dict[float, list[dict]] = {}
    for training in trainings:
        by_rate.setdefault(training["learning_rate"], []).append(training)
    most = max(map(len, by_rate.values()))

    def rank(rate: float) -> tuple[float, float]:
        good = [training["best"]["cer"] for training in by_rate[rate] if training["failed"] is None]
        return 1 - len(good) / most, float(np.mean(good)) if good else math.inf

    return min((rate for rate, own in by_rate.items() if len(own) == most), key=rank)


def _introduction(values: dict, trainings: list[dict]) -> list[Block]:
    test, machine = values["test"], values["machine"]
    speakers = {speaker for speaker in test["speakers"] if speaker is not None}
    heard = f" of {len(speakers)} speaker{'s' * (len(speakers) > 1)}" if speakers else ""
    budget = (
        f"{values['minutes']:g} minutes of training, by an epoch of each variant timed beforehand"
        if values["minutes"] is not None
        else f"{values['config']['training']['epochs']} epochs"
    )
    split = "test data" if test["split"] == "test" else "validation data, for the configuration has no test data"
    where = ", ".join([machine["processor"], f"{machine['cores']} cores", *machine["gpus"]])
    return [
        Text(
            f"Each variant has {values['parameters']} trainable parameters, or as near as its width allows, and "
            f"{budget}. Of each training the epoch with the lowest character error rate on the validation data is "
            f"measured on the {split}: {len(test['words'])} utterances{heard}, {sum(test['words'])} words, greedy "
            f"decoding. {len(trainings)} trainings, {len(trainings) - len(succeeded(trainings))} of them failed. "
            f"{where}; TensorFlow {machine['tensorflow']}, Keras {machine['keras']} on {machine['backend']}."
        )
    ]


def _error_rates(values: dict, kept: list[dict]) -> list[Block]:
    rows = []
    for variant, own in by_variant(kept).items():
        good = succeeded(own)
        row = [variant, str(own[0]["units"]), f"{own[0]['learning_rate']:g}", str(len(good)), str(len(own) - len(good))]
        if good:
            count = good[0]["parameters"]
            off = f"{count} ({count / values['parameters'] - 1:+.1%})"
            cer = np.mean([training["cer"] for training in good])
            row += [off, _interval(mean_interval([t["wer"] for t in good])), f"{cer:.1%}"]
            row += [f"{np.mean([training['best']['epoch'] for training in good]):.0f}"]
        else:
            row += ["", "", "", ""]
        rows.append(row)
    head = ["variant", "units", "learning rate", "seeds", "failed", "parameters", "WER", "CER", "best epoch"]
    return [
        Heading("Error rates"),
        Text(
            "Means over the seeds; in brackets the 95 % interval of the mean (Student's t), which takes two seeds. "
            "Where a variant was trained with several learning rates, of those with the most seeds the one that does "
            "best on the validation data."
        ),
        Table(head, rows),
    ]


def _costs(kept: list[dict]) -> list[Block]:
    rows = []
    for variant, own in by_variant(kept).items():
        good = succeeded(own)
        if good:
            steps = [training["step_seconds"] for training in good if training["step_seconds"]]
            rows.append(
                [
                    variant,
                    f"{4 * good[0]['parameters'] / 1e3:.0f} kB",
                    f"{np.mean([len(training['epochs']) for training in good]):.0f}",
                    f"{np.mean([training['seconds'] for training in good]):.0f} s",
                    f"{np.mean([training['epoch_seconds'] for training in good]):.1f} s",
                    f"{1000 * np.mean(steps):.0f} ms" if steps else "",
                    f"{np.mean([training['real_time_factor'] for training in good]):.5f}",
                ]
            )
    head = ["variant", "weights, float32", "epochs", "training", "an epoch", "a step", "real-time factor"]
    return [
        Heading("Cost"),
        Text(
            "Means over the seeds. Seconds are the clock's, of training without validation; other work on the machine "
            "lengthens them. Real-time factor: seconds of recognition, one utterance after another, a second of audio."
        ),
        Table(head, rows),
    ]


def _differences(values: dict, kept: list[dict]) -> list[Block]:
    pairs = compared(kept, values["test"])
    if not pairs:
        return []
    seed_p, bootstrap_p = holm([pair.seed_p for pair in pairs]), holm([pair.bootstrap.p for pair in pairs])
    rows = [
        [
            f"{pair.first} less {pair.second}",
            str(pair.seeds),
            f"{100 * pair.bootstrap.difference:+.1f}",
            f"{100 * pair.bootstrap.low:+.1f} to {100 * pair.bootstrap.high:+.1f}",
            _p(pair.bootstrap.p, by_bootstrap),
            _p(pair.seed_p, by_seed),
        ]
        for pair, by_seed, by_bootstrap in zip(pairs, seed_p, bootstrap_p, strict=True)
    ]
    resampled = pairs[0].bootstrap.resampled
    few = (
        f" With fewer than {FEWEST_SPEAKERS} speakers whole speakers cannot be drawn anew: the interval is for these "
        "speakers, and says nothing of others."
        if resampled == "utterances"
        else ""
    )
    return [
        Heading("Differences"),
        Text(
            "Of word error rates, in percentage points, over the seeds that both have; pairs differ in one respect. "
            f"The interval (95 %) and its p are of a paired bootstrap over {resampled}; p by seed is of a paired t "
            f"test. In brackets p corrected for the number of pairs (Holm).{few}"
        ),
        Table(["pair", "seeds", "difference", "interval", "p, bootstrap", "p, by seed"], rows),
    ]


def _curves(folder: Path, kept: list[dict]) -> list[Block]:
    good = succeeded(kept)
    if not good:
        return []
    plots.plot_learning_curves(folder / "plots" / "learning_curves.png", good)
    plots.plot_errors(folder / "plots" / "errors.png", good)
    return [
        Heading("Learning curves"),
        Picture(
            "plots/learning_curves.png", "Word error rate on the validation data, epoch by epoch, a line a training"
        ),
        Heading("Error against size and cost"),
        Picture(
            "plots/errors.png",
            "Word error rate on the test data against parameters, training and recognition, a point a training",
        ),
    ]


def _everything(values: dict) -> list[Block]:
    rows, commands = [], []
    for name, training in values["trainings"].items():
        commands.append(f"python scripts/train.py {shlex.join([*values['source'], *training['overrides']])}")
        if training["failed"] is not None:
            rows.append([name, "failed", "", "", str(len(training["epochs"])), training["failed"]])
            continue
        valid = f"{training['best']['wer']:.1%}"
        seconds = f"{training['seconds']:.0f} s"
        rows.append([name, f"{training['wer']:.1%}", valid, seconds, f"{len(training['epochs'])}", ""])
    return [
        Heading("Every training"),
        Table(["training", "WER, test", "WER, validation", "training", "epochs", "failure"], rows),
        Heading("Commands"),
        Text("This report:"),
        Commands(values["commands"]),
        Text("The same trainings one by one, each into runs/:"),
        Commands(commands),
    ]


def _interval(interval: Interval) -> str:
    if math.isnan(interval.low):
        return f"{interval.mean:.1%}"
    return f"{interval.mean:.1%} [{max(0.0, interval.low):.1%}, {interval.high:.1%}]"


def _p(p: float, corrected_p: float) -> str:
    def shown(value: float) -> str:
        return "<0.001" if value < 0.001 else f"{value:.3f}"

    return "" if math.isnan(p) else f"{shown(p)} ({shown(corrected_p)})"
