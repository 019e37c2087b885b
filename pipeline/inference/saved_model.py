"""A SavedModel as a recognizer uses it."""

from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.export.about import About


class SavedModel:
    """Scores utterances by an export's signatures, on TensorFlow.

    An utterance is audio float32 [samples], or, where the export takes them, features float32 [frames, coefficients].

    Args:
        folder: an export's.
        about: what it tells of itself.

    Raises:
        InputError: it is damaged, or its units or features are not those of the model.
    """

    def __init__(self, folder: Path, about: About):
        if not (folder / "saved_model.pb").exists():
            raise InputError(f"{folder}: an exported model wanted, there is no saved_model.pb in it")
        import tensorflow as tf  # here, so that importing this module costs nothing

        self._tensor, self._input = tf.constant, about.input
        try:
            if (folder / "fingerprint.pb").exists():
                tf.saved_model.experimental.read_fingerprint(str(folder))  # loading would print a trace and go on
            self._model = tf.saved_model.load(str(folder))
            self._signatures = self._model.signatures
            units = self._signatures["log_probs"].structured_outputs["log_probs"].shape[-1]
            signal = self._signatures["log_probs"].structured_input_signature[1].get(self._input)
            self._frame_shape = tuple(signal.shape[2:]) if signal is not None else None
        except Exception as error:  # of a damaged file TensorFlow may raise anything, IndexError for example
            problem = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"{folder}: a damaged export ({problem[0]})") from error
        if units != len(about.units):
            file = folder / "assets" / "units.txt"
            raise InputError(f"{file}: the model's {units} units wanted, found {len(about.units)}")
        told = (about.features.coefficients,) if about.features else ()
        if self._frame_shape != told:
            file = folder / "assets" / "model.json"
            raise InputError(f"{file}: what the model takes wanted, found {self._input} {list(told)}")

    def log_probs(self, utterances: list[np.ndarray]) -> list[np.ndarray]:
        """Log posteriors float32 [frames, units] of each utterance."""
        outputs = self._signatures["log_probs"](**self._padded(utterances))
        scores, frames = outputs["log_probs"].numpy(), outputs["frames"].numpy()
        return [row[:count] for row, count in zip(scores, frames, strict=True)]

    def spot(self, utterance: np.ndarray, keywords: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Starts and ends in seconds, and scores, float32 [keywords] each, of the best windows in an utterance."""
        outputs = self._signatures["spot"](**self._padded([utterance]), keywords=self._tensor(keywords))
        return tuple(outputs[name].numpy()[0] for name in ("start", "end", "scores"))

    def start(self) -> dict:
        """The state of a stream before any audio."""
        return self._signatures["stream_start"](batch=self._tensor(1))

    def step(self, audio: np.ndarray, state: dict) -> tuple[np.ndarray, dict]:
        """Log posteriors of the frames that further audio, float32 [samples], completes, and the new state."""
        outputs = self._signatures["stream"](audio=self._tensor(audio[None, :]), **state)
        return outputs.pop("log_probs").numpy()[0], outputs

    def end(self, state: dict) -> np.ndarray:
        """Log posteriors of the last frames, which waited for audio that did not come."""
        return self._signatures["stream_end"](**state)["log_probs"].numpy()[0]

    def _padded(self, utterances):
        lengths = np.array([len(utterance) for utterance in utterances], np.int32)
        padded = np.zeros((len(utterances), lengths.max(), *self._frame_shape), np.float32)
        for row, utterance in zip(padded, utterances, strict=True):
            row[: len(utterance)] = utterance
        return {self._input: self._tensor(padded), "lengths": self._tensor(lengths)}
