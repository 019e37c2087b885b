import numpy as np
import pytest

from pipeline.decoding.confidence import Calibration
from pipeline.decoding.transcript import Transcript
from pipeline.export.about import About
from pipeline.inference.stream import Endpoints, Stream
from pipeline.text import Units

RATE, FRAME = 1000, 100


class SaysOneUnitFirst:
    """A frame each tenth of a second: in the first one unit 1, then blanks."""

    def start(self):
        return {"frames": 0}

    def step(self, audio, state):
        count = len(audio) // FRAME
        log_probs = np.log(np.full((count, 2), [0.9, 0.1]))
        if count and not state["frames"]:
            log_probs[0] = log_probs[0, ::-1]
        return log_probs, {"frames": state["frames"] + count}

    def end(self, state):
        return np.zeros((0, 2))


@pytest.mark.parametrize(
    ("kind", "endpoints", "seconds"),
    [
        ("characters", Endpoints(), 1.0),
        ("words", Endpoints(), 1.5),
        ("words", Endpoints(after_speech=0.7), 0.7),
        ("characters", Endpoints(after_speech=2.0), 2.0),
    ],
)
def test_silence_after_speech_ends_an_utterance_a_word_s_after_a_longer_one(kind, endpoints, seconds):
    about = About(Units(kind, ["a"]), RATE, FRAME, FRAME, {}, None, Calibration())
    said = Transcript("a", 1.0, ())
    stream = Stream(SaysOneUnitFirst(), about, lambda *_: said, lambda *_: said, endpoints)
    packets = 0
    while not stream.accept_waveform(np.zeros(FRAME, np.float32)):
        packets += 1
    assert packets * FRAME / RATE == pytest.approx(seconds)
