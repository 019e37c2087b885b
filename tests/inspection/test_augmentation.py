import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.inspection.augmentation import log_augmentation, mfccs, spectrograms
from pipeline.inspection.tensorboard import TensorBoardLog

RATE = 8000


def tone(hz, samples):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(samples) / RATE)).astype(np.float32)


def test_tensorboard_has_players_and_a_picture_of_each_utterance(tmp_path):
    before, after = tone(500, 8000), tone(1000, 6000)
    log = TensorBoardLog(tmp_path)
    log_augmentation(log, [("one", before, after), ("two", after, before)], RATE, step=4)
    log.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    tags = {f"augmentation/{name}{which}" for name in ("one", "two") for which in ("", "/before", "/after")}
    assert set(events.Tags()["tensors"]) == tags
    for when, audio in (("before", before), ("after", after)):
        (event,) = events.Tensors(f"augmentation/one/{when}")
        heard, rate = soundfile.read(io.BytesIO(event.tensor_proto.string_val[0]))
        assert (event.step, rate) == (4, RATE)
        np.testing.assert_allclose(heard, audio, atol=1e-4)
    width, height, picture = events.Tensors("augmentation/one")[0].tensor_proto.string_val
    assert tf.io.decode_png(picture).shape == (int(height), int(width), 3)


@pytest.mark.parametrize("samples", [1, 100, 8000])
def test_spectrograms_show_both_on_the_same_scales(samples):
    figure = spectrograms(tone(500, samples), np.zeros(6000, np.float32), RATE)
    above, below = (axes.images[0] for axes in figure.axes[:2])
    assert above.get_clim() == below.get_clim()
    assert above.get_extent()[1] == samples / RATE and below.get_extent()[1] == 0.75
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0, max(samples / RATE, 0.75))


def test_a_tone_is_brightest_at_its_frequency():
    figure = spectrograms(tone(1000, 8000), tone(2000, 8000), RATE)
    for axes, hz in zip(figure.axes, (1000, 2000), strict=False):
        bins = axes.images[0].get_array().shape[0]
        row = axes.images[0].get_array().mean(axis=1).argmax()
        assert row / (bins - 1) * RATE / 2 == pytest.approx(hz, abs=RATE / 200)
        assert axes.images[0].get_array().max() == pytest.approx(20 * np.log10(0.5), abs=0.2)


def test_mfccs_show_both_on_the_same_colours_with_a_mask_in_the_middle_of_them():
    before = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
    after = np.where(np.arange(200)[:, None] < 50, 0, before)
    above, below = (axes.images[0] for axes in mfccs(before, after, 0.01).axes[:2])
    assert above.get_clim() == below.get_clim() == (-3, 3)
    assert above.get_extent() == below.get_extent() == [0, 2, -0.5, 19.5]
    assert not below.get_array()[:, :50].any() and (below.get_array()[:, 50:] == above.get_array()[:, 50:]).all()
