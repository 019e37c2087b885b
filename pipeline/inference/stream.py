"""Speech as it comes: partial transcripts, and an utterance's own once it is over."""

import functools
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import numpy as np

from pipeline.decoding.transcript import BLANK, Transcript
from pipeline.errors import InputError
from pipeline.export.about import About
from pipeline.samples import as_samples

AFTER_SPEECH = {"characters": 1.0, "words": 1.5}
"""Seconds of silence that end an utterance, by kind of units: a word or phrase that is one unit is silent until it is
over. See docs/streaming.md."""


@dataclass(frozen=True)
class Endpoints:
    """When an utterance is over, in seconds. What follows it is heard as if it were a recording of its own.

    Attributes:
        after_speech: of silence after a word; None takes that of `AFTER_SPEECH`.
        without_speech: of silence with no word before it; nothing is reported then.
        longest: that an utterance may last.
    """

    after_speech: float | None = None
    without_speech: float = 5.0
    longest: float = 20.0

    def __post_init__(self):
        """Raises: InputError: a rule is not above 0; infinity is, and is never over."""
        for name, seconds in asdict(self).items():
            if name == "after_speech" and seconds is None:
                continue
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
                raise InputError(f"endpoints: {name} in seconds above 0 wanted, found {seconds!r}")


ENDPOINTS = Endpoints()


class Model(Protocol):
    """Scores a stream; see `saved_model.SavedModel`."""

    def start(self) -> dict: ...
    def step(self, audio: np.ndarray, state: dict) -> tuple[np.ndarray, dict]: ...
    def end(self, state: dict) -> np.ndarray: ...


class Stream:
    """One stream of audio, in pieces of any size: their size changes nothing of what is heard.

    Args:
        model: what scores it.
        about: of the export.
        decode: log posteriors float32 [frames, units] of an utterance and its audio float32 [samples] -> transcript.
        decode_partial: the same, quickly, of an utterance that is not over.
        endpoints: when an utterance is over; None if the whole stream is one.
    """

    _AT_ONCE = 16000
    """Samples that the model is given at most: after an utterance's end those behind it are scored again."""

    def __init__(
        self,
        model: Model,
        about: About,
        decode: Callable[[np.ndarray, np.ndarray], Transcript],
        decode_partial: Callable[[np.ndarray, np.ndarray], Transcript],
        endpoints: Endpoints | None,
    ):
        self._model, self._about, self._endpoints = model, about, endpoints
        self._decode, self._decode_partial = decode, decode_partial
        self._restart()

    def _restart(self) -> None:
        self._finished: deque[Transcript] = deque()
        self._begin = 0  # of the utterance, in samples of the stream
        self._waiting = np.zeros(0, np.float32)  # what the model has not heard yet
        self._next_utterance()

    def _next_utterance(self) -> None:
        self._state = self._model.start()
        self._heard: list[np.ndarray] = []  # by the model, of the utterance
        self._given = 0  # samples in `_heard`
        self._log_probs: list[np.ndarray] = []
        self._frames = 0
        self._silent = 0  # frames since the last unit
        self._spoke = False

    def accept_waveform(self, audio: np.ndarray | bytes) -> bool:
        """Further audio, at the model's rate: see `samples.as_samples`.

        Returns:
            Whether an utterance is over, so that `result` has something to give.
        """
        self._waiting = np.concatenate([self._waiting, as_samples(audio)])
        while len(self._waiting) and self._given + len(self._waiting) >= self._about.samples_for(self._frames + 1):
            piece, self._waiting = self._waiting[: self._AT_ONCE], self._waiting[self._AT_ONCE :]
            self._hear(piece)
        return bool(self._finished)

    def partial(self) -> Transcript:
        """What is heard so far of the utterance under way, decoded greedily; later audio may change it."""
        return self._shifted(self._decode_partial(self._scores(), self._audio()))

    def result(self) -> Transcript | None:
        """The oldest utterance that is over and was not asked for yet, its times those of the stream; None if none."""
        return self._finished.popleft() if self._finished else None

    def final(self) -> Transcript:
        """Ends the stream: the last utterance, maybe without a word. Another stream may then begin.

        Utterances that were over before, and not asked for by `result`, come first, joined to it.
        """
        if self._given + len(self._waiting):
            self._hear(self._waiting, look_for_end=False)
            self._add(self._model.end(self._state))
        last = self._shifted(self._decode(self._scores(), self._audio()))
        transcripts = [*self._finished, last]
        self._restart()
        return functools.reduce(lambda before, after: before.joined(after), transcripts)

    def _hear(self, audio: np.ndarray, look_for_end: bool = True) -> None:
        log_probs, self._state = self._model.step(audio, self._state)
        self._heard.append(audio)
        self._given += len(audio)
        begin = self._frames
        self._add(log_probs)
        end = self._end_in(log_probs, begin) if look_for_end and self._endpoints else None
        if end is not None:
            heard = self._audio()
            samples = min(end * self._about.frame_samples, len(heard))
            if self._spoke:
                self._finished.append(self._shifted(self._decode(self._scores()[:end], heard[:samples])))
            self._begin += samples
            self._waiting = np.concatenate([heard[samples:], self._waiting])
            self._next_utterance()

    def _add(self, log_probs: np.ndarray) -> None:
        self._log_probs.append(log_probs)
        self._frames += len(log_probs)

    def _end_in(self, log_probs: np.ndarray, begin: int) -> int | None:
        """The utterance's frames, if it is over in one of the new ones, the first of which is number `begin`."""
        rules, seconds = self._endpoints, self._about.frame_seconds
        after_speech = rules.after_speech or AFTER_SPEECH[self._about.units.kind]
        for number, unit in enumerate(log_probs.argmax(axis=1), start=begin + 1):
            self._silent = self._silent + 1 if unit == BLANK else 0
            self._spoke = self._spoke or unit != BLANK
            enough = after_speech if self._spoke else rules.without_speech
            if self._silent * seconds >= enough or number * seconds >= rules.longest:
                return number
        return None

    def _scores(self) -> np.ndarray:
        return np.concatenate([*self._log_probs, np.zeros((0, len(self._about.units)), np.float32)])

    def _audio(self) -> np.ndarray:
        return np.concatenate([*self._heard, np.zeros(0, np.float32)])

    def _shifted(self, transcript: Transcript) -> Transcript:
        """In the stream's time instead of the utterance's."""
        begin = self._begin / self._about.sample_rate
        words = [replace(word, start=word.start + begin, end=word.end + begin) for word in transcript.words]
        return replace(transcript, words=tuple(words))
