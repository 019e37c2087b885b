"""Speech from text by a voice of Piper, a neural synthesizer: fewer voices than espeak-ng's, and better ones."""

import re
from pathlib import Path

import numpy as np

from pipeline.audio import to_mono
from pipeline.errors import InputError, UnreadableError

_USUAL_WORDS_PER_MINUTE = 160


class Piper:
    """A voice that was loaded. What it says is random within narrow limits, and the same for the same calls in order.

    Args:
        path: a voice's .onnx file, its .onnx.json beside it.

    Attributes:
        voices: its name, or `name+0`, `name+1`, ... where it has several speakers.

    Raises:
        InputError: there is no such voice, or piper-tts is missing.
    """

    def __init__(self, path: str | Path):
        path = Path(path)
        for file in (path, Path(f"{path}.json")):
            if not file.is_file():
                raise InputError(f"{file}: a Piper voice (NAME.onnx and NAME.onnx.json) wanted, there is no such file")
        try:
            import onnxruntime
            import piper
        except ImportError as error:
            raise InputError(f"{path}: piper-tts wanted to speak it; pip install -r requirements-piper.txt") from error
        onnxruntime.set_seed(0)  # of what is loaded from now on
        try:
            self._voice = piper.PiperVoice.load(path)
        except Exception as error:  # onnxruntime's and JSON's
            raise InputError(f"{path}: a Piper voice wanted, it cannot be loaded ({_first_line(error)})") from error
        self._settings = piper.SynthesisConfig
        speakers = self._voice.config.num_speakers
        self.voices = [path.stem] if speakers == 1 else [f"{path.stem}+{number}" for number in range(speakers)]

    def synthesize(
        self, text: str, voice: str, sample_rate: int, words_per_minute: int = _USUAL_WORDS_PER_MINUTE, pitch: int = 50
    ) -> np.ndarray:
        """A text spoken: float32 [samples], -1..1. Its pitch is the voice's own, whatever is asked for.

        Raises:
            UnreadableError: nothing to speak.
        """
        speaker = re.search(r"\+(\d+)$", voice)
        settings = self._settings(
            speaker_id=int(speaker.group(1)) if speaker else None,
            length_scale=_USUAL_WORDS_PER_MINUTE / words_per_minute,
        )
        pieces = [chunk.audio_int16_array for chunk in self._voice.synthesize(text, syn_config=settings)]
        if not pieces:
            raise UnreadableError(f"text {text[:60]!r}: words wanted, found nothing that voice {voice!r} can speak")
        return np.clip(to_mono(np.concatenate(pieces), self._voice.config.sample_rate, sample_rate, voice), -1, 1)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
