"""Exports the best model of a run as a SavedModel: RUN -> OUT."""

from pathlib import Path

import command


def main(arguments) -> None:
    command.load_tensorflow()
    from pipeline.export.saved_model import export

    export(arguments.run, arguments.out)
    size = sum(file.stat().st_size for file in Path(arguments.out).rglob("*") if file.is_file())
    print(f"{arguments.out}: exported, {size / 1e6:.1f} MB")


arguments = command.parser(__doc__, "python scripts/export.py runs/quickstart exported/quickstart")
arguments.add_argument("run", metavar="RUN", help="a run's folder, as train.py made it")
arguments.add_argument("out", metavar="OUT", help="the folder to write; an earlier export there is replaced")

if __name__ == "__main__":
    command.run(main, arguments)
