"""A training as TensorBoard shows it; one step is one epoch."""

from pathlib import Path

import tensorflow as tf


class TensorBoardLog:
    """Writes scalars and transcripts into a folder that `tensorboard --logdir` reads."""

    def __init__(self, folder: str | Path):
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, epoch: int, values: dict[str, float]) -> None:
        """Curves by name; a `/` in a name groups them."""
        with self._writer.as_default(step=epoch):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()

    def transcripts(self, epoch: int, references: list[str], hypotheses: list[str]) -> None:
        """A table of what was said and what was heard."""
        rows = [f"| {_cell(said)} | {_cell(heard)} |" for said, heard in zip(references, hypotheses, strict=True)]
        table = "\n".join(["| reference | hypothesis |", "|---|---|", *rows])
        with self._writer.as_default(step=epoch):
            tf.summary.text("transcripts", table)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


def _cell(text: str) -> str:
    return text.replace("|", "\\|") or "(nothing)"
