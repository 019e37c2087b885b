"""Searches for better settings over the ranges under `tune` in a configuration: CONFIG -> runs/NAME-tune/best.yaml."""

import json
import logging
import math
import sys
from pathlib import Path

import command


def main(arguments) -> None:
    from pipeline.config import load_config
    from pipeline.errors import InputError

    if arguments.trials is None and arguments.minutes is None:
        raise InputError("--trials or --minutes wanted, found neither")
    if arguments.trials is not None and arguments.trials < 1:
        raise InputError(f"--trials: 1 or more wanted, found {arguments.trials}")
    if arguments.minutes is not None and not 0 < arguments.minutes < math.inf:
        raise InputError(f"--minutes: more than 0 wanted, found {arguments.minutes:g}")
    settings = load_config(arguments.config, arguments.overrides)
    folder = Path(arguments.out or f"runs/{settings.name}-tune")
    command.load_tensorflow_to_train()
    from pipeline.study.tuning import tune

    out = sys.stderr if arguments.json else sys.stdout
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each training compiles its own functions

    def tell(trial: dict) -> None:
        print(json.dumps(trial) if arguments.json else _line(trial), flush=True)

    found = tune(settings, folder, arguments.trials, arguments.minutes, arguments.oracle, tell)
    best = found["best"]
    if best is None:
        print(f"{folder}: no trial has finished yet; the same command goes on", file=out)
        return
    print(f"{folder / 'best.yaml'}: {_line(best)}", file=out)


def _line(trial: dict) -> str:
    values = ", ".join(f"{key}={_shown(value)}" for key, value in trial["values"].items())
    if trial["status"] == "failed":
        return f"trial {trial['trial']}: {values}: failed, {trial['reason']}"
    stopped = ", stopped" if trial["status"] == "stopped" else ""
    rates = f"CER {trial['cer']:.1%}, WER {trial['wer']:.1%}"
    return f"trial {trial['trial']}: {values}: {rates} ({trial['epochs']} epochs{stopped})"


def _shown(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


arguments = command.parser(__doc__, "python scripts/tune.py configs/compare_digits.yaml --minutes 60")
arguments.add_argument("config", metavar="CONFIG", help="a YAML file with a tune section")
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the file's")
arguments.add_argument("--trials", type=int, metavar="N", help="most trainings, those of earlier calls included")
arguments.add_argument("--minutes", type=float, metavar="M", help="most time for this call; the same command goes on")
arguments.add_argument("--oracle", choices=["random", "bayesian"], default="random", help="(default: %(default)s)")
arguments.add_argument("--out", metavar="FOLDER", help="default: runs/NAME-tune")
arguments.add_argument("--json", action="store_true", help="one JSON object a trial on stdout, nothing else there")

if __name__ == "__main__":
    command.run(main, arguments)
