"""Exports the best model of a run as a SavedModel: RUN -> OUT."""

import logging
import os
import sys
from pathlib import Path

import command


def main(arguments) -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"  # weights are the same whatever trained them
    command.load_tensorflow()
    from pipeline.export.saved_model import export

    logging.basicConfig(format="%(message)s", stream=sys.stderr, force=True)
    export(arguments.run, arguments.out, arguments.overrides, arguments.litert, arguments.onnx, arguments.half)
    size = sum(file.stat().st_size for file in Path(arguments.out).rglob("*") if file.is_file())
    print(f"{arguments.out}: exported, {size / 1e6:.1f} MB")


arguments = command.parser(__doc__, "python scripts/export.py runs/quickstart exported/quickstart")
arguments.add_argument("run", metavar="RUN", help="a run's folder, as train.py made it")
arguments.add_argument("out", metavar="OUT", help="the folder to write; an earlier export there is replaced")
arguments.add_argument(
    "overrides", metavar="key=value", nargs="*", help="settings of where the validation data lies now: data.folder=..."
)
arguments.add_argument("--litert", action="store_true", help="also model.tflite, for small devices")
arguments.add_argument(
    "--half",
    action="store_true",
    help="the SavedModel's weights in half precision: half their size, scores all but same",
)
arguments.add_argument("--onnx", action="store_true", help="also model.onnx; wants requirements-onnx.txt")

if __name__ == "__main__":
    command.run(main, arguments)
