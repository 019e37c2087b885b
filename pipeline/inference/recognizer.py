"""Transcripts by an exported model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.decoding.greedy import greedy
from pipeline.decoding.transcript import Transcript
from pipeline.errors import InputError
from pipeline.export.about import About
from pipeline.inference.samples import as_samples
from pipeline.inference.saved_model import SavedModel
from pipeline.inference.stream import ENDPOINTS, Endpoints, Stream
from pipeline.text import normalize


class Recognizer:
    """An exported model, loaded once and used many times.

    Args:
        folder: an export's, with `saved_model.pb` in it.
        endpoints: when an utterance in a stream is over; None if a stream is to be one utterance.

    Attributes:
        about: what the export tells of itself: its sample rate and units, for example.
        decoder: log posteriors float32 [frames, units] of an utterance -> transcript. Greedy unless it is set.

    Raises:
        InputError: the folder is missing or not a whole export.

    Example:
        recognizer = Recognizer("exported/quickstart")
        recognizer.transcribe(load_audio("order.wav", recognizer.sample_rate)).text

        while packet := microphone.read():  # the same, while it is spoken
            if recognizer.accept_waveform(packet):
                print(recognizer.result().text)
            else:
                print(recognizer.partial().text, end="\\r")
        print(recognizer.final().text)
    """

    def __init__(self, folder: str | Path, endpoints: Endpoints | None = ENDPOINTS):
        folder = Path(folder)
        self.about = About.load(folder)
        self._model = SavedModel(folder)
        self._endpoints = endpoints
        self.decoder: Callable[[np.ndarray], Transcript] = self._greedy
        self._stream: Stream | None = None

    @property
    def sample_rate(self) -> int:
        """Of the audio it wants, in hertz."""
        return self.about.sample_rate

    def normalize(self, text: str) -> str:
        """A reference as a perfect model of these units would write it, to compare transcripts with."""
        return self.about.units.without_others(normalize(text, **self.about.text))

    def transcribe(self, audio: np.ndarray | bytes) -> Transcript:
        """What is said in an utterance at `sample_rate`; of any length, even none. See `samples.as_samples`.

        Raises:
            InputError: samples that are not finite, or not one channel of numbers.
        """
        return self.transcribe_all([audio])[0]

    def transcribe_all(self, utterances: list[np.ndarray | bytes]) -> list[Transcript]:
        """What is said in each utterance: all scored together, which is quicker than one by one. See `transcribe`."""
        audio = [as_samples(utterance) for utterance in utterances]
        log_probs = self._model.log_probs(audio) if audio else []
        return [self._decode(scores, samples) for scores, samples in zip(log_probs, audio, strict=True)]

    def log_probs(self, audio: np.ndarray | bytes) -> np.ndarray:
        """Log posteriors float32 [frames, units] of one utterance; see `transcribe`."""
        return self._model.log_probs([as_samples(audio)])[0]

    def stream(self) -> Stream:
        """A new stream of audio; one model serves any number of them side by side.

        Raises:
            InputError: the model needs whole utterances.
        """
        if self.about.cannot_stream:
            raise InputError(f"a model that can stream wanted, this one has {self.about.cannot_stream}")
        return Stream(self._model, self.about, self._decode, self._endpoints)

    def accept_waveform(self, audio: np.ndarray | bytes) -> bool:
        """Further audio of this recognizer's own stream; whether an utterance is over: see `Stream`."""
        self._stream = self._stream or self.stream()
        return self._stream.accept_waveform(audio)

    def partial(self) -> Transcript:
        """What is heard so far of the utterance under way: see `Stream`."""
        return (self._stream or self.stream()).partial()

    def result(self) -> Transcript | None:
        """The oldest utterance that is over and was not asked for yet: see `Stream`."""
        return self._stream.result() if self._stream else None

    def final(self) -> Transcript:
        """Ends the stream and gives its last utterance: see `Stream`."""
        return (self._stream or self.stream()).final()

    def _greedy(self, log_probs: np.ndarray) -> Transcript:
        return greedy(log_probs, self.about.units, self.about.frame_seconds)

    def _decode(self, log_probs: np.ndarray, audio: np.ndarray) -> Transcript:
        return self.decoder(log_probs)
