"""An export's files for LiteRT as a recognizer uses them: with ai-edge-litert and numpy alone."""

import json
from pathlib import Path
from threading import Lock

import numpy as np

from pipeline.decoding.keyword_search import spot
from pipeline.errors import InputError
from pipeline.export.about import About
from pipeline.export.checksums import check_whole


class LiteRTModel:
    """Scores audio in steps of so many frames, from the stream's start on, whatever pieces it comes in.

    All mathematics is in the model; here windows are cut, as `pipeline.models.streaming` cuts them. Threads may share
    it, and take turns: an interpreter holds one computation at a time.

    Args:
        folder: an export's that was made with LiteRT.
        about: what it tells of itself.

    Raises:
        InputError: it holds no whole model for LiteRT, or ai-edge-litert is missing.
    """

    def __init__(self, folder: Path, about: About):
        files = [folder / "features.tflite", folder / "model.tflite"]
        for file in files:
            if not file.exists():
                raise InputError(f"{file}: a model for LiteRT wanted, there is none; export with --litert")
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise InputError(f"ai-edge-litert wanted ({error}); pip install -r requirements-litert.txt") from error
        self._about, self._lock = about, Lock()
        try:
            host = json.loads((folder / "assets" / "litert.json").read_text(encoding="utf-8"))
            check_whole(folder, "features.tflite", "model.tflite", "assets/litert.json")
            self._n_fft, self._hop, self._stride = host["n_fft"], host["hop"], host["stride"]
            self._context, self._copies, self._centre = host["context"], host["copies"], host["centre"]
            self._silent = host.get("silent_frames", 0)  # exports of before have none
            self._interpreters = [Interpreter(str(file), num_threads=1) for file in files]  # runners do not keep them
            self._mfcc, self._score = [each.get_signature_runner() for each in self._interpreters]
            shapes = {name: tuple(value["shape"]) for name, value in self._score.get_input_details().items()}
            self._samples = int(self._mfcc.get_input_details()["audio"]["shape"][1])
            _, self._window, self._coefficients = shapes.pop("mfcc")
            made = int(self._mfcc.get_output_details()["mfcc"]["shape"][2])
            if made != self._coefficients:
                raise ValueError(f"features.tflite makes {made} coefficients, model.tflite wants {self._coefficients}")
            self._states = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
            self._frames = (self._window - self._context) // self._stride + 1
            self._hear_silence()
        except Exception as error:  # of a damaged file LiteRT raises ValueError or RuntimeError, json others
            problem = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"{folder}: a damaged model for LiteRT ({problem[0]})") from error

    @property
    def _silent_samples(self) -> int:
        return self._silent * self._stride * self._hop

    def _hear_silence(self) -> None:
        """One step: some damage shows only then. Raises: ValueError: the files are not of one export."""
        mfcc = self._frames_of(np.zeros(self._samples, np.float32))
        log_probs, _ = self._scored(np.zeros((self._window, self._coefficients), np.float32), self._states)
        together = self._frames * self._stride
        wanted = [together, (together - 1) * self._hop + self._n_fft, (self._frames - 1) * self._stride + self._context]
        if [len(mfcc), self._samples, self._window] != wanted:
            raise ValueError("assets/litert.json tells of windows of other sizes")
        if log_probs.shape[1] != len(self._about.units):
            raise ValueError(f"it scores {log_probs.shape[1]} units, assets/units.txt has {len(self._about.units)}")

    def log_probs(self, utterances: list[np.ndarray]) -> list[np.ndarray]:
        """Log posteriors float32 [frames, units] of each utterance, float32 [samples]."""
        found = []
        for audio in utterances:
            first, state = self.step(audio, self.start())
            found.append(np.concatenate([first, self.end(state)]))
        return found

    def spot(self, audio: np.ndarray, keywords: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Starts and ends in seconds, and scores, float32 [keywords] each, of the best windows in an utterance."""
        found = spot(self.log_probs([audio])[0], self._about.units, self._about.frame_seconds, keywords)
        values = np.array([[item.start, item.end, item.score] for item in found], np.float32)
        return tuple(values.T)

    def start(self) -> dict:
        """The state of a stream before any audio."""
        before = (self._n_fft // 2 if self._centre else 0) + self._silent_samples
        return {
            "audio": np.zeros(before, np.float32),
            "heard": False,
            "mfcc": np.zeros((0, self._coefficients), np.float32),
            "begun": False,
            "states": self._states,
            "silent": self._silent,
        }

    def step(self, audio: np.ndarray, state: dict) -> tuple[np.ndarray, dict]:
        """Log posteriors of the frames that further audio, float32 [samples], completes, and the new state.

        They come several at once: maybe none now, and more with the next audio.
        """
        heard = state["heard"] or len(audio) > 0
        audio, mfcc = np.concatenate([state["audio"], audio]), [state["mfcc"]]
        begun = state["begun"]  # whether there were frames; those that are left may be none
        together = self._frames * self._stride  # MFCC frames, in a step
        while len(audio) >= max(self._samples, together * self._hop):
            new = self._frames_of(audio[: self._samples])
            mfcc += [new] if begun else [np.repeat(new[:1], self._copies, axis=0), new]
            audio, begun = audio[together * self._hop :], True
        mfcc, states, found = np.concatenate(mfcc), state["states"], []
        while len(mfcc) >= max(self._window, together):
            log_probs, states = self._scored(mfcc[: self._window], states)
            found.append(log_probs)
            mfcc = mfcc[together:]
        log_probs, silent = self._joined(found, state["silent"])
        state = {"audio": audio, "heard": heard, "mfcc": mfcc, "begun": begun, "states": states, "silent": silent}
        return log_probs, state

    def end(self, state: dict) -> np.ndarray:
        """Log posteriors of the last frames, which waited for audio that did not come."""
        audio, mfcc, states = state["audio"], state["mfcc"], state["states"]
        if state["heard"]:
            after = (self._n_fft - self._n_fft // 2 if self._centre else 0) + self._silent_samples
            audio = np.concatenate([audio, np.zeros(after, np.float32)])
        mfcc = self._with_last(audio, mfcc)
        count = max(0, 1 + (len(mfcc) - self._context) // self._stride)
        found = []
        while count > 0:
            log_probs, states = self._scored(_padded(mfcc[: self._window], self._window), states)
            found.append(log_probs[:count])
            count -= self._frames
            mfcc = mfcc[self._frames * self._stride :]
        return self._joined(found, state["silent"])[0]

    def _with_last(self, audio: np.ndarray, mfcc: np.ndarray) -> np.ndarray:
        """All frames that are left, with copies of the first and the last one beyond the ends of the utterance."""
        count = max(0, 1 + (len(audio) - self._n_fft) // self._hop)
        parts = []
        while count > 0:
            parts.append(self._frames_of(_padded(audio[: self._samples], self._samples))[:count])
            count -= len(parts[-1])
            audio = audio[len(parts[-1]) * self._hop :]
        if parts and not len(mfcc):
            parts.insert(0, np.repeat(parts[0][:1], self._copies, axis=0))
        mfcc = np.concatenate([mfcc, *parts])
        return np.concatenate([mfcc, np.repeat(mfcc[-1:], self._copies, axis=0)])

    def _frames_of(self, audio: np.ndarray) -> np.ndarray:
        with self._lock:
            return self._mfcc(audio=audio[None])["mfcc"][0]

    def _scored(self, mfcc: np.ndarray, states: dict) -> tuple[np.ndarray, dict]:
        with self._lock:
            outputs = self._score(mfcc=mfcc[None], **states)
        return outputs.pop("log_probs")[0], outputs

    def _joined(self, parts: list[np.ndarray], silent: int) -> tuple[np.ndarray, int]:
        """Scores without those of `silent` frames before the audio, and how many of these are still to come."""
        log_probs = np.concatenate([np.zeros((0, len(self._about.units)), np.float32), *parts])
        return log_probs[silent:], max(0, silent - len(log_probs))


def _padded(values: np.ndarray, count: int) -> np.ndarray:
    """With zeros behind, so many in all."""
    return np.concatenate([values, np.zeros((count - len(values), *values.shape[1:]), values.dtype)])
