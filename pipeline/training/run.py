"""A run's folder: configuration, units, checkpoints, logs, metrics."""

import json
from pathlib import Path

from pipeline.config import Config, load_config
from pipeline.errors import InputError
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units
from pipeline.training.checkpoint import load_checkpoint, write_atomically

_FREE_KEYS = {"description", "licence", "data.folder", "training.shown", "training.pictures"}
"""What may be changed before a run goes on: it alters no weight."""


class Run:
    """The paths of one run, and what they hold.

    Args:
        folder: such as runs/NAME; need not exist yet.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config = self.folder / "config.yaml"
        self.units = self.folder / "units.txt"
        self.metrics = self.folder / "metrics.json"
        self.skipped = self.folder / "skipped.jsonl"
        self.logs = self.folder / "logs"
        self.last = self.folder / "checkpoints" / "last.npz"
        self.best = self.folder / "checkpoints" / "best.npz"

    def prepare(self, settings: Config) -> None:
        """Makes the folder, or checks that what it holds is a run of the same configuration.

        Raises:
            InputError: it is a run of another one; the keys that differ are named.
        """
        if self.last.exists():
            # What might be tuned alters no weight.
            old, new = (each.model_dump(mode="json", exclude={"tune"}) for each in (load_config(self.config), settings))
            different = differences(old, new)
            different = {key: values for key, values in different.items() if key not in _FREE_KEYS}
            if different:
                told = "; ".join(f"{key} was {old!r}, is {new!r}" for key, (old, new) in list(different.items())[:3])
                raise InputError(
                    f"{self.folder} holds a run of another configuration ({told}): "
                    "give this one another name (name=...), or delete that folder"
                )
        self.last.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.config, settings.to_yaml())

    def load(self) -> tuple[Config, Units, AcousticModel, dict]:
        """The best model of the run, built for export, and its metrics.

        Raises:
            InputError: there is no such run, or it has no checkpoint yet.
        """
        if not self.config.exists():
            raise InputError(f"{self.folder}: the folder of a run wanted, there is no {self.config.name} in it")
        if not self.best.exists():
            raise InputError(f"{self.folder}: this run has no checkpoint yet; train for an epoch first")
        settings, units = load_config(self.config), Units.load(self.units)
        model = AcousticModel(settings, len(units), portable=True)
        metrics = load_checkpoint(self.best, model.variables)
        return settings, units, model, metrics

    def seconds(self) -> float:
        """That its epochs took so far, by the clock."""
        return sum(epoch["seconds"] for epoch in json.loads(self.metrics.read_text(encoding="utf-8"))["epochs"])


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def write_json(path: Path, values: dict) -> None:
    write_text(path, json.dumps(values, indent=2) + "\n")


def differences(old: dict, new: dict, prefix: str = "") -> dict[str, tuple]:
    """{dotted key: (old value, new value)} where two nested mappings differ, or lists of as many mappings."""
    found = {}
    for key in {**old, **new}:
        before, after = old.get(key), new.get(key)
        if _mappings(before) and _mappings(after) and len(before) == len(after):
            before, after = dict(enumerate(before)), dict(enumerate(after))
        if isinstance(before, dict) and isinstance(after, dict):
            found.update(differences(before, after, f"{prefix}{key}."))
        elif before != after:
            found[f"{prefix}{key}"] = (before, after)
    return found


def _mappings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
