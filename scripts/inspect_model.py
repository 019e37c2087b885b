"""Looks into a trained run: gates and states along an utterance, and how far back in time gradients reach."""

import json
from pathlib import Path

import command


def main(arguments) -> None:
    command.load_tensorflow()
    from pipeline.config import load_config
    from pipeline.errors import InputError
    from pipeline.inspection.gradient_flow import told_reach
    from pipeline.inspection.look_inside import look_inside
    from pipeline.training.run import Run

    if arguments.utterances < 1:
        raise InputError(f"--utterances: at least 1 wanted, found {arguments.utterances}")
    run, folder = Run(arguments.run), Path(arguments.out)
    _, units, model, metrics = run.load()
    settings = load_config(run.config, arguments.overrides)
    folder.mkdir(parents=True, exist_ok=True)  # before the work, not after it in vain
    found = look_inside(
        settings, units, model, folder, run.logs, metrics["epoch"], arguments.audio, arguments.utterances
    )
    for layer in found.layers:
        if arguments.json:
            print(json.dumps(layer))
            continue
        constants, farthest = layer["time_constant_seconds"], layer["farthest_seconds"]
        kept = "" if constants is None else f"; half of its units keep their state for {constants:.2f} s or longer"
        print(
            f"{layer['layer']}: a gradient falls under 1 % after {told_reach(layer['reach_seconds'], farthest)}, "
            f"untrained after {told_reach(layer['untrained_reach_seconds'], farthest)}{kept}"
        )
    if not arguments.json:
        print(*found.pictures, sep="\n")


arguments = command.parser(__doc__, "python scripts/inspect_model.py runs/commands_lstm --out inside")
arguments.add_argument("run", metavar="RUN", help="a run's folder, as train.py made it")
arguments.add_argument(
    "overrides", metavar="key=value", nargs="*", help="settings of where the validation data lies now: data.folder=..."
)
arguments.add_argument(
    "--audio", metavar="FILE", nargs="+", default=[], help="look at these files, not at the run's validation data"
)
arguments.add_argument("--out", metavar="FOLDER", required=True, help="the pictures go there; TensorBoard has them too")
arguments.add_argument(
    "--utterances",
    type=int,
    default=8,
    metavar="N",
    help="of the validation data, for gradients (default: %(default)s)",
)
arguments.add_argument("--json", action="store_true", help="one JSON object a layer on stdout, nothing else there")

if __name__ == "__main__":
    command.run(main, arguments)
