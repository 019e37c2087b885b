"""Transcripts by an exported model."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.decoding.confidence import Calibration
from pipeline.decoding.greedy import greedy
from pipeline.decoding.keyword_search import Detection, labels_of
from pipeline.decoding.transcript import Transcript
from pipeline.decoding.word_times import HOP_SECONDS, LAGS, loudness, refine
from pipeline.errors import InputError
from pipeline.export.about import About
from pipeline.feature_files import as_features
from pipeline.inference.saved_model import SavedModel
from pipeline.inference.stream import ENDPOINTS, Endpoints, Stream
from pipeline.samples import as_samples
from pipeline.text import normalize


def _litert(folder: Path, about: About):
    from pipeline.inference.litert import LiteRTModel  # here, because few have its package

    return LiteRTModel(folder, about)


_RUNTIMES = {"tensorflow": SavedModel, "litert": _litert}


class Recognizer:
    """An exported model, loaded once and used many times.

    Where a model takes features instead of audio, an utterance is float [frames, coefficients]: see `about.features`.

    Args:
        folder: an export's, with `saved_model.pb` in it.
        endpoints: when an utterance in a stream is over; None if a stream is to be one utterance.
        runtime: "tensorflow"; or "litert", which needs the export's model.tflite and ai-edge-litert instead.
        least_confidence: in 0..1; an utterance whose text is less sure is answered with the empty one, as noise is.
            Default: the export's own for greedy decoding, 0 for other decoders, whose confidences are not like its.

    Attributes:
        about: what the export tells of itself: its sample rate and units, for example.
        decoder: log posteriors float32 [frames, units] of an utterance -> transcript. Greedy unless it is set.
        calibration: that makes probabilities of the decoder's confidences; that of greedy decoding unless it is set.

    Raises:
        InputError: the folder is missing or not a whole export, or an argument is of no use.

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

    def __init__(
        self,
        folder: str | Path,
        endpoints: Endpoints | None = ENDPOINTS,
        runtime: str = "tensorflow",
        least_confidence: float | None = None,
    ):
        if not isinstance(endpoints, Endpoints | None):
            raise InputError(f"endpoints: Endpoints or None wanted, found {endpoints!r}")
        if least_confidence is not None and not (
            isinstance(least_confidence, int | float) and 0 <= least_confidence <= 1
        ):
            raise InputError(f"least confidence: a number from 0 to 1 wanted, found {least_confidence!r}")
        folder = Path(folder)
        self.about = About.load(folder)
        if runtime not in _RUNTIMES:
            raise InputError(f"runtime {runtime!r}: one of {', '.join(_RUNTIMES)} wanted")
        self._model = _RUNTIMES[runtime](folder, self.about)
        self._endpoints, self._least_confidence = endpoints, least_confidence
        self.decoder: Callable[[np.ndarray], Transcript] = self._greedy
        self.calibration = self.about.calibration
        self._stream: Stream | None = None

    @property
    def sample_rate(self) -> int:
        """Of the audio it wants, in hertz.

        Raises:
            InputError: it takes features.
        """
        if self.about.features:
            raise InputError("a model that takes audio wanted, this one has features.input = features")
        return self.about.sample_rate

    def normalize(self, text: str) -> str:
        """A reference as a perfect model of these units would write it, to compare transcripts with."""
        return self.about.units.without_others(normalize(text, **self.about.text))

    def transcribe(self, audio: np.ndarray | bytes) -> Transcript:
        """What is said in an utterance at `sample_rate`; of any length, even none. See `samples.as_samples`.

        Of features see `feature_files.as_features`.

        Raises:
            InputError: samples that are not finite, or not one channel of numbers; the same of features.
        """
        return self.transcribe_all([audio])[0]

    def transcribe_all(self, utterances: list[np.ndarray | bytes]) -> list[Transcript]:
        """What is said in each utterance: all scored together, which is quicker than one by one. See `transcribe`."""
        signals = [self._signal(utterance) for utterance in utterances]
        log_probs = self._model.log_probs(signals) if signals else []
        return [self._decode(scores, signal) for scores, signal in zip(log_probs, signals, strict=True)]

    def log_probs(self, audio: np.ndarray | bytes) -> np.ndarray:
        """Log posteriors float32 [frames, units] of one utterance; see `transcribe`."""
        return self._model.log_probs([self._signal(audio)])[0]

    def log_probs_in_pieces(self, blocks: Iterable[np.ndarray | bytes]) -> Iterator[np.ndarray]:
        """The same of audio that comes block by block, of any sizes: pieces that are `log_probs` of all the audio.

        Raises:
            InputError: the model needs whole utterances.
        """
        self._check_streams()
        state = self._model.start()
        for block in blocks:
            log_probs, state = self._model.step(as_samples(block), state)
            yield log_probs
        yield self._model.end(state)

    def stream(self) -> Stream:
        """A new stream of audio; one model serves any number of them side by side.

        Raises:
            InputError: the model needs whole utterances.
        """
        self._check_streams()
        return Stream(self._model, self.about, self._decode, self._decode_partial, self._endpoints)

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

    def spot(self, audio: np.ndarray | bytes, keywords: list[str]) -> list[Detection]:
        """The best place of each keyword in an utterance, however bad: its `score` in 0..1 tells. See `transcribe`.

        For detections in long audio, see `pipeline.decoding.keywords.Spotter`.

        Raises:
            InputError: a keyword is empty, or has a symbol that is not among the units.
        """
        if isinstance(keywords, str) or not all(isinstance(keyword, str) for keyword in keywords):
            raise InputError(f"a list of texts, the keywords, wanted, found {keywords!r}")
        keywords = [normalize(keyword, **self.about.text) for keyword in keywords]
        for keyword in keywords:
            labels_of(keyword, self.about.units)
        found = self._model.spot(self._signal(audio), keywords) if keywords else ()
        return [Detection(keyword, *map(float, values)) for keyword, *values in zip(keywords, *found, strict=True)]

    def _signal(self, utterance: np.ndarray | bytes) -> np.ndarray:
        """What the model takes: float32 [samples], or [frames, coefficients]."""
        features = self.about.features
        return as_features(utterance, features.coefficients) if features else as_samples(utterance)

    def _check_streams(self) -> None:
        if self.about.cannot_stream:
            raise InputError(f"a model that can hear audio in pieces wanted, this one has {self.about.cannot_stream}")

    def _greedy(self, log_probs: np.ndarray) -> Transcript:
        return greedy(log_probs, self.about.units, self.about.frame_seconds)

    def _decode(self, log_probs: np.ndarray, signal: np.ndarray) -> Transcript:
        transcript = self._judged(self.decoder(log_probs), signal, self.calibration)
        return self._answered(transcript, 0.0 if self.decoder != self._greedy else self.about.least_confidence)

    def _decode_partial(self, log_probs: np.ndarray, signal: np.ndarray) -> Transcript:
        transcript = self._judged(self._greedy(log_probs), signal, self.about.calibration)
        return self._answered(transcript, self.about.least_confidence)

    def _answered(self, transcript: Transcript, least: float) -> Transcript:
        """It, or its unanswered form if it is less sure than what the recognizer was given, or by default `least`."""
        least = least if self._least_confidence is None else self._least_confidence
        return transcript.unanswered() if transcript.confidence < least else transcript

    def _judged(self, transcript: Transcript, signal: np.ndarray, calibration: Calibration) -> Transcript:
        """Its words where they are heard, and confidences that are probabilities."""
        heard = refine(transcript.words, self._loudness(signal), LAGS[self.about.units.kind])
        words = tuple(replace(word, confidence=calibration.word_probability(word.confidence)) for word in heard)
        if transcript.is_scaled:
            return replace(transcript, words=words)
        return replace(transcript, words=words, confidence=calibration.utterance_probability(transcript.confidence))

    def _loudness(self, signal: np.ndarray) -> np.ndarray:
        """Of audio; that of features is unknown, and the same all through, so that they show no pauses."""
        if self.about.features is None:
            return loudness(signal, self.about.sample_rate)
        seconds = len(signal) / self.about.lengths_per_second
        return np.zeros(round(seconds / HOP_SECONDS), np.float32)
