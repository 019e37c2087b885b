"""The acoustic model in pieces: however audio is divided, the scores are those of the whole."""

from keras import ops

from pipeline.models.acoustic import AcousticModel

State = dict
"""Tensors by name: what is still to be heard, float32 [batch, ...], and the states of the recurrent layers."""


class StreamingModel:
    """Hears audio piece by piece, of any size.

    A frame of the network is scored as soon as all that it depends on is there: its samples, and for deltas the frames
    after it. `end` gives the last ones, for which the last frame stands in for those that never came.

    Args:
        model: one that can stream: see `Config.cannot_stream`.
    """

    def __init__(self, model: AcousticModel):
        self._model, self._features = model, model.settings.features
        self._context = self._features.stack + 2 * self._features.delta_context
        """MFCC frames that one of the network's depends on."""

    def start(self, batch) -> State:
        """The state before any audio. `batch`: int32 []."""
        before = self._features.n_fft // 2 if self._features.centre else 0
        audio = ops.zeros((batch, before + self._features.silent_samples))
        mfcc = ops.zeros((batch, 0, self._features.coefficients))
        states = _named([[ops.zeros((batch, size)) for size in sizes] for sizes in self.state_sizes])
        silent = ops.full((batch,), float(self._features.silent_frames))
        return {"waiting_audio": audio, "waiting_mfcc": mfcc, "begun": ops.zeros((batch,)), "silent": silent, **states}

    @property
    def state_sizes(self) -> list[list[int]]:
        """Units of each state of each recurrent layer."""
        sizes = [layer.cell.state_size for layer in self._model.recurrent]
        return [list(size) if isinstance(size, list | tuple) else [size] for size in sizes]

    def step(self, audio, state: State) -> tuple:
        """Further audio.

        Args:
            audio: float32 [batch, samples], in -1..1; any number of samples.
            state: of `start` or the step before.

        Returns:
            Log posteriors float32 [batch, frames, units] of the frames that have become complete, maybe none; and the
            state to go on from.
        """
        return self._advance(audio, state, last=False)

    def end(self, state: State):
        """Log posteriors float32 [batch, frames, units] of the frames that waited for what did not come."""
        rest = self._features.silent_samples
        if self._features.centre:  # half a frame of silence before and after the audio
            rest += self._features.n_fft - self._features.n_fft // 2
        if rest:
            rest = ops.where(ops.any(state["begun"] > 0), rest, 0)  # but none around nothing
        return self._advance(ops.zeros((ops.shape(state["begun"])[0], rest)), state, last=True)[0]

    def _advance(self, audio, state, last):
        features = self._features
        begun = ops.where(ops.shape(audio)[1] > 0, ops.ones_like(state["begun"]), state["begun"])
        audio, count, audio_left = _windows(state["waiting_audio"], audio, features.n_fft, features.hop_samples, last)
        audio = ops.pad(audio, [[0, 0], [0, features.n_fft]])  # one frame at least, then as many as there are
        mfcc = self._beyond_the_ends(self._model.mfcc.whole_frames(audio)[:, :count], state["waiting_mfcc"], last)
        mfcc, count, mfcc_left = _windows(state["waiting_mfcc"], mfcc, self._context, features.stride, last)
        mfcc = mfcc[:, : ops.maximum(0, (count - 1) * features.stride + self._context)]

        states = [state[name] for name in _named(self.state_sizes)]
        log_probs, *states = ops.cond(
            count > 0, lambda: self._score(mfcc, states), lambda: (self._no_scores(mfcc), *states)
        )
        names = _named(self.state_sizes)
        states = dict(zip(names, states, strict=True))
        log_probs, silent = self._without_silence(log_probs, state["silent"])
        return log_probs, {
            "waiting_audio": audio_left,
            "waiting_mfcc": mfcc_left,
            "begun": begun,
            "silent": silent,
            **states,
        }

    def _without_silence(self, log_probs, silent):
        """Scores without those of frames before the audio, and how many of these are still to come."""
        if not self._features.silent_frames:
            return log_probs, silent
        count = ops.minimum(ops.cast(ops.max(silent), "int32"), ops.shape(log_probs)[1])
        return log_probs[:, count:], silent - ops.cast(count, silent.dtype)

    def _beyond_the_ends(self, mfcc, before, last):
        """Frames with copies of the first before and of the last after them, where an utterance begins or ends."""
        copies = self._features.delta_context
        if not copies:
            return mfcc
        first = ops.where(ops.shape(before)[1] == 0, copies, 0)
        parts = [ops.tile(mfcc[:, :1], (1, copies, 1))[:, :first], mfcc]
        if last:
            newest = ops.concatenate([before, mfcc], axis=1)[:, -1:]
            parts.append(ops.tile(newest, (1, copies, 1)))
        return ops.concatenate(parts, axis=1)

    def _score(self, mfcc, states):
        log_probs, states = self.score(mfcc, states)
        return log_probs, *states

    def score(self, mfcc, states: list, unrolled: bool = False) -> tuple:
        """Log posteriors of frames whose neighbours are all there.

        Args:
            mfcc: float32 [batch, mfcc frames, coefficients]; the first frame of the network depends on the first so
                many of them as `stack` and the context of deltas on both sides make, the others `stride` later each.
            states: of the recurrent layers, in the order of `start`.
            unrolled: see `AcousticModel.go_on`.

        Returns:
            float32 [batch, frames, units], and the new states.
        """
        values = self._model.mfcc.with_deltas(mfcc)
        whole = ops.full((ops.shape(values)[0],), ops.shape(values)[1], "int32")
        values = self._model.normalization(values, whole)
        count = (ops.shape(values)[1] - self._features.stack) // self._features.stride + 1
        values = self._model.stack(values, whole)[0][:, :count]
        by_layer, taken = [], iter(states)
        for sizes in self.state_sizes:
            by_layer.append([next(taken) for _ in sizes])
        logits, by_layer = self._model.go_on(values, by_layer, unrolled)
        return ops.log_softmax(logits, axis=-1), [state for layer in by_layer for state in layer]

    def _no_scores(self, values):
        return ops.zeros((ops.shape(values)[0], 0, self._model.logits.units))


def _windows(waiting, new, size, hop, last):
    """All that is there, how many windows of `size`, one each `hop`, it holds, and what is left for further ones.

    What is left begins where the next window does. With a hop longer than the window that is only known to be there
    after the gap, or at the end.
    """
    values = ops.concatenate([waiting, new], axis=1)
    count = ops.maximum(0, 1 + (ops.shape(values)[1] - (size if last else max(size, hop))) // hop)
    return values, count, values[:, count * hop :]


def _named(states: list[list]) -> dict:
    """The states of recurrent layers by the names that signatures give them."""
    return {
        f"layer_{layer}_state_{number}": state for layer, own in enumerate(states) for number, state in enumerate(own)
    }
