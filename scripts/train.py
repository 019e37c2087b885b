"""Trains the model that a configuration describes: CONFIG -> runs/NAME/."""

import json
import logging
import sys
from pathlib import Path

import command


def main(arguments) -> None:
    from pipeline.config import load_config

    settings = load_config(arguments.config, arguments.overrides)
    folder = Path("runs") / settings.name
    command.load_tensorflow_to_train()
    from pipeline.training.progress import ProgressBar, epoch_line
    from pipeline.training.trainer import train

    out = sys.stderr if arguments.json else sys.stdout
    told, warned = logging.StreamHandler(out), logging.StreamHandler(sys.stderr)
    told.addFilter(lambda record: record.levelno < logging.WARNING)
    warned.setLevel(logging.WARNING)
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=[told, warned], force=True)

    def tell(epoch: dict) -> None:
        if arguments.json:
            print(json.dumps(epoch), flush=True)
        else:
            print(epoch_line(epoch, settings.training.epochs), flush=True)

    metrics = train(settings, folder, tell, [ProgressBar(settings.training.epochs)], arguments.profile)
    best, done = metrics["best"], "nothing to learn; what it started from has"
    if settings.training.epochs:
        done = f"{len(metrics['epochs'])} epochs done; best is epoch {best['epoch']} with"
    print(f"{folder}: {done} CER {best['cer']:.1%}, WER {best['wer']:.1%} on the validation data", file=out)


arguments = command.parser(__doc__, "python scripts/train.py configs/quickstart.yaml model.cell=simple_rnn")
arguments.add_argument("config", metavar="CONFIG", help="a YAML file, such as those in configs/")
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the file's")
arguments.add_argument(
    "--profile",
    action="store_true",
    help="TensorBoard gets the model's graph and one profiled step; docs/tensorboard.md",
)
arguments.add_argument("--json", action="store_true", help="one JSON object an epoch on stdout, nothing else there")

if __name__ == "__main__":
    command.run(main, arguments)
