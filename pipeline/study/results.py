"""What a comparison has measured so far, in one file that reports can be made from again."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from pipeline.config import Config
from pipeline.errors import InputError
from pipeline.models import hardware
from pipeline.training.run import differences, write_json

_VERSION = 1

_FREE_KEYS = {"description", "licence", "data.folder", "training.shown"}
"""What may change between two calls without making other results."""


class Results:
    """The results in a folder; they are written down whenever one is added.

    Args:
        folder: of the comparison; need not exist yet.

    Attributes:
        values: what results.json holds: "config", "commands", "machine", "parameters" wanted, "minutes" a training,
            "test" with the utterances, "timing" and "gradients" by variant, "trainings", "memory" and "adding" by name.

    Raises:
        InputError: there is a results.json that is none.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.path = self.folder / "results.json"
        self.values: dict = {"version": _VERSION, "commands": [], "timing": {}, "trainings": {}, "memory": {}}
        self.values["adding"] = {}
        if not self.path.exists():
            return
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{self.path}: results of a comparison wanted, found no JSON ({error})") from error
        if not isinstance(values, dict) or values.get("version") != _VERSION:
            raise InputError(f"{self.path}: results of a comparison, version {_VERSION}, wanted, found others")
        self.values = values

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path, self.values)

    def begin(self, settings: Config, source: list[str]) -> None:
        """Notes what is compared, and on which machine.

        Args:
            settings: the configuration that variants are made of.
            source: its file and what overrides it.

        Raises:
            InputError: the folder has results of another configuration.
        """
        config = settings.model_dump(mode="json", exclude={"tune"})
        if "config" in self.values:
            check_same(self.folder, self.values["config"], config)
        self.values.update(config=config, source=source, machine=machine())
        self.save()

    @contextlib.contextmanager
    def made_by(self, command: str) -> Iterator[None]:
        """Notes the command that makes results meanwhile, unless it turns out to be none that can be used."""
        before = list(self.values["commands"])
        if command not in before:
            self.values["commands"].append(command)
        self.save()
        try:
            yield
        except InputError:
            self.values["commands"] = before
            self.save()
            raise

    def once(self, name: str, value) -> None:
        """Notes what must be the same in every call.

        Raises:
            InputError: it was another before.
        """
        before = self.values.setdefault(name, value)
        if before != value:
            raise InputError(f"{self.folder} holds a comparison with {name} = {before}, now it is {value}")


def check_same(folder: Path, before: dict, now: dict) -> None:
    """Raises: InputError: the folder has a study of another configuration; the first key that differs is named."""
    different = {key: pair for key, pair in differences(before, now).items() if key not in _FREE_KEYS}
    if different:
        key, (old, new) = next(iter(different.items()))
        raise InputError(
            f"{folder} holds a study of another configuration ({key} was {old!r}, is {new!r}): "
            "give this one another folder, or delete that one"
        )


def machine() -> dict:
    """What times depend on."""
    return {
        "processor": _processor(),
        "cores": hardware.cores(),
        "gpus": [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ],
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"
