"""Transcripts by an exported model."""

import json
from pathlib import Path

import numpy as np

from pipeline.decoding.greedy import greedy
from pipeline.decoding.transcript import Transcript
from pipeline.errors import InputError
from pipeline.text import Units


class Recognizer:
    """An exported model, loaded once and used many times.

    Args:
        folder: an export's, with `saved_model.pb` in it.

    Attributes:
        sample_rate: of the audio it wants, in hertz.
        text: how transcripts were normalized in training; arguments for `pipeline.text.normalize`.

    Raises:
        InputError: the folder is missing or not a whole export.

    Example:
        recognizer = Recognizer("exported/quickstart")
        recognizer.transcribe(load_audio("order.wav", recognizer.sample_rate)).text
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"{folder}: an exported model's folder wanted, there is none")
        if not (folder / "saved_model.pb").exists():
            raise InputError(f"{folder}: an exported model wanted, there is no saved_model.pb in it")
        self._units = Units.load(folder / "assets" / "units.txt")
        try:
            about = json.loads((folder / "assets" / "model.json").read_text(encoding="utf-8"))
            self.sample_rate: int = about["sample_rate"]
            self.text: dict = about["text"]
            self._frame_seconds: float = about["frame_seconds"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{folder / 'assets' / 'model.json'}: not as exported ({error})") from error
        import tensorflow as tf  # here, so that importing this module costs nothing

        try:
            self._model = tf.saved_model.load(str(folder))
            self._log_probs = self._model.signatures["log_probs"]
        except Exception as error:  # of a damaged file TensorFlow may raise anything, IndexError for example
            problem = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"{folder}: a damaged export ({problem[0]})") from error

    def transcribe(self, audio: np.ndarray) -> Transcript:
        """What is said in an utterance: float [samples] in -1..1 at `sample_rate`; of any length, even none.

        Raises:
            InputError: samples that are not finite, or not one channel of numbers.
        """
        log_probs = self.log_probs(audio)
        return greedy(log_probs, self._units, self._frame_seconds)

    def log_probs(self, audio: np.ndarray) -> np.ndarray:
        """Log posteriors float32 [frames, units] of one utterance; see `transcribe`."""
        audio = np.asarray(audio)
        if audio.ndim != 1 or audio.dtype.kind != "f":
            raise InputError(f"audio: float samples of one channel wanted, found {audio.dtype} {list(audio.shape)}")
        if not np.isfinite(audio).all():
            raise InputError(
                f"audio: finite samples wanted, found {np.count_nonzero(~np.isfinite(audio))} that are not"
            )
        import tensorflow as tf

        outputs = self._log_probs(
            audio=tf.constant(audio[None, :], tf.float32), lengths=tf.constant([len(audio)], tf.int32)
        )
        return outputs["log_probs"].numpy()[0, : int(outputs["frames"][0])]
