"""Draws how runs learnt: an error rate on their validation data, epoch by epoch."""

import json
from pathlib import Path

import command

LABELS = {"wer": "word error rate on the validation data", "cer": "character error rate on the validation data"}


def main(arguments) -> None:
    from pipeline.errors import InputError
    from pipeline.evaluation.plots import plot_learning

    runs = {}
    for run in map(Path, arguments.runs):
        try:
            runs[run.name] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["epochs"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{run}: a run with a metrics.json wanted, found none ({error})") from error
        if not runs[run.name]:
            raise InputError(f"{run}: a run that learnt for an epoch or more wanted")
    plot_learning(arguments.out, runs, arguments.value, LABELS[arguments.value])


arguments = command.parser(__doc__, "python scripts/plot_runs.py runs/my_lstm runs/my_simple_rnn --out learning.png")
arguments.add_argument("runs", metavar="RUN", nargs="+", help="runs' folders, as train.py made them")
arguments.add_argument("--out", metavar="FILE", required=True, help="the picture: .png, .svg or .pdf")
arguments.add_argument("--value", choices=list(LABELS), default="wer", help="which rate (default: %(default)s)")

if __name__ == "__main__":
    command.run(main, arguments)
