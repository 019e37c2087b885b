"""A whole training, and the same with stock Keras's recurrent layers and CTC loss."""

import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import command

from benchmarks.processes import Child, say, say_load
from benchmarks.timing import Row

EXAMPLE = "python scripts/bench.py epochs configs/commands_lstm.yaml training.epochs=12"
BACKENDS = ("tensorflow",)
IMPLEMENTATIONS = {"pipeline": command.TRAINING, "keras": {}}
"""And what their processes have in their environments: as scripts/train.py sets it, and all cores."""


def add_options(work) -> None:
    """Of this work."""
    work.add_argument("config", metavar="CONFIG", help="a YAML file, such as those in configs/")
    work.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the file's")
    work.add_argument("--keep", metavar="FOLDER", help="a new folder for the runs, which scripts/export.py takes")


def measured(arguments) -> Iterator[Row]:
    """Epochs of a training, in turns, by this pipeline and with Keras's layers and loss in the same network, from the
    same weights, data and optimizer; without pictures and without `training.quiet_db`, which that loss knows nothing
    of. Times are of epochs without validation, from the second on."""
    from pipeline.config import load_config

    overrides = [*arguments.overrides, "training.pictures=0", "training.quiet_db=null"]
    settings = load_config(arguments.config, overrides)
    settings.training.check_learns()
    names = [name for name in IMPLEMENTATIONS if name not in arguments.without]
    found = {name: [] for name in names}
    with _folder(arguments.keep) as folder:
        trainings = {name: _training(name, [arguments.config, *overrides], folder) for name in names}
        try:
            say_load()
            for number in range(1, settings.training.epochs + 1):
                for name, training in trainings.items():
                    epoch = _next(training)
                    found[name].append(epoch)
                    told = "loss {loss:.2f}, CER {cer:.1%}, WER {wer:.1%}, {seconds:.1f} s".format(**epoch)
                    say(f"epoch {number}, {name}: {told}")
            say_load()
        finally:
            for training in trainings.values():
                training.close()
    size = {"configuration": settings.name, "epochs": settings.training.epochs}
    medians = {name: statistics.median(epoch["seconds"] for epoch in found[name][1:] or found[name]) for name in names}
    for name, seconds in medians.items():
        best = min(found[name], key=lambda epoch: epoch["cer"])
        more = {
            "total_s": sum(epoch["seconds"] for epoch in found[name]),
            "audio_s_per_s": statistics.median(epoch["audio_seconds"] for epoch in found[name]) / seconds,
            "first_loss": found[name][0]["loss"],
            "last_loss": found[name][-1]["loss"],
            "best_cer": best["cer"],
            "its_wer": best["wer"],
        }
        yield Row(size, name, 1000 * seconds, seconds / medians[names[0]], more)


@contextlib.contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    """For the runs: one to keep, or one that is gone afterwards. Raises: PipelineError: it cannot be made anew."""
    if keep is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    from pipeline.errors import PipelineError

    try:
        Path(keep).mkdir(parents=True)
    except OSError as error:
        raise PipelineError(f"--keep {keep}: a new folder wanted ({error.strerror})") from error
    yield Path(keep)


def _training(name: str, configuration: list[str], folder: Path) -> Child:
    line = ["-m", "benchmarks.epochs_worker", name, str(folder / name), *configuration]
    return Child(name, line, folder / f"{name}.txt", IMPLEMENTATIONS[name])


def _next(training: Child) -> dict:
    """What metrics.json holds of its next epoch. Raises: PipelineError: the training ends before its time."""
    training.tell("")
    while not (line := training.line()).startswith("{"):
        pass  # what packages print
    return json.loads(line)
