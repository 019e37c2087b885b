import numpy as np
import pytest

from pipeline.config import Features
from pipeline.data.onsets import speech_onset

FEATURES = Features(sample_rate=16000, stack=3, stride=3)


@pytest.mark.parametrize("quiet", [0, 1600, 7000])
def test_speech_begins_where_it_gets_loud(quiet):
    random = np.random.default_rng(0)
    audio = 1e-3 * random.normal(size=12000)
    audio[quiet : quiet + 4000] += 0.1 * random.normal(size=4000)
    assert speech_onset(audio.astype(np.float32), FEATURES, quiet_db=30.0) == max(0, quiet // 480 - 1)


@pytest.mark.parametrize("samples", [0, 1, 479, 5000])
def test_silence_begins_at_once(samples):
    assert speech_onset(np.zeros(samples, np.float32), FEATURES, quiet_db=30.0) == 0
