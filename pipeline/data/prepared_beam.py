"""Utterances -> examples by Apache Beam: handed to its workers, and what could not be read handed back, in files."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.data.prepared_examples import example
from pipeline.data.utterances import Skipped, Utterance, reason_of
from pipeline.errors import UnreadableError

_IN_A_FILE = 100
"""Utterances; enough that a million are ten thousand files, few enough that many workers have some."""
_REPORT = ".skipped"


class BeamWork:
    """Work on a set's utterances that is divided among workers. A context manager: files are gone at its end.

    Beam's own plan holds the files' names only: runners limit its size, and it is in memory at once.

    Args:
        folder: to be made, where all workers read and write.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def __enter__(self) -> "BeamWork":
        self._clear()
        return self

    def __exit__(self, *_) -> None:
        self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def examples(self, split: str, utterances: Sequence[Utterance]) -> Any:
        """A Beam transform that gives the examples of a split, by their keys."""
        import apache_beam

        self._folder.mkdir(parents=True, exist_ok=True)
        files = []
        for first in range(0, len(utterances), _IN_A_FILE):
            file = self._folder / f"{split}-{first:09d}.pickle"
            file.write_bytes(pickle.dumps((first, utterances[first : first + _IN_A_FILE])))
            files.append(str(file.resolve()))
        return apache_beam.Create(files) | apache_beam.FlatMap(_examples_of)

    def skipped(self, split: str) -> Skipped:
        """What the workers could not read of a split, in the order of its utterances."""
        found = Skipped()
        for report in sorted(self._folder.glob(f"{split}-*{_REPORT}")):
            for name, reason in pickle.loads(report.read_bytes()):
                found.add(name, reason)
        return found


def _examples_of(file: str) -> Iterator[tuple[str, dict]]:
    """Those of a file's utterances that can be read. A worker that does it again reports the same again."""
    first, utterances = pickle.loads(Path(file).read_bytes())
    lost = []
    for number, utterance in enumerate(utterances, start=first):
        try:
            yield example(number, utterance)
        except UnreadableError as error:
            lost.append((utterance.name, reason_of(utterance, error)))
    if lost:
        handle, beside = tempfile.mkstemp(dir=Path(file).parent)
        with os.fdopen(handle, "wb") as report:
            pickle.dump(lost, report)
        os.replace(beside, Path(file).with_suffix(_REPORT))
