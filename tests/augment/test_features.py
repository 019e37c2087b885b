import keras
import numpy as np
import pytest

from pipeline.augment.features import SpecAugmentation
from pipeline.config import SpecAugment


def masked(frames, count=40, seed=0, **masks):
    """bool [batch, count, 10]: what a mask covers."""
    layer = SpecAugmentation(SpecAugment(**masks), 10, seed=seed)
    values = np.ones((len(frames), count, 10), np.float32)
    return layer(values, np.array(frames, np.int32), training=True).numpy() == 0


def test_features_are_masked_only_in_training():
    layer = SpecAugmentation(SpecAugment(time_masks=3, coefficient_masks=3, channel=1), 10, seed=0)
    values = np.random.default_rng(0).normal(size=(2, 30, 10)).astype(np.float32)
    np.testing.assert_array_equal(layer(values, np.array([30, 20])), values)
    assert (layer(values, np.array([30, 20]), training=True).numpy() == 0).any()


def bands(covered):
    """How many bands each row of bool [rows, size] has."""
    return np.count_nonzero(np.diff(covered.astype(int), prepend=0, axis=1) == 1, axis=1)


@pytest.mark.parametrize("width", [0, 1, 12, 60])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 1.0])
def test_a_time_mask_is_one_band_inside_the_own_frames_and_no_wider_than_allowed(width, share):
    frames = np.repeat(np.arange(41), 20)
    covered = masked(frames, time_masks=1, time_width=width, time_share=share)
    assert (covered.all(axis=2) == covered.any(axis=2)).all()
    covered = covered.any(axis=2)
    assert not (covered & (np.arange(40) >= frames[:, None])).any()
    assert (covered.sum(axis=1) <= np.minimum(width, share * frames) + 1e-4).all()
    assert bands(covered).max() <= 1


@pytest.mark.parametrize("width", [0, 1, 4, 20])
def test_a_coefficient_mask_is_one_band_of_all_frames(width):
    covered = masked([40, 17] * 50, coefficient_masks=1, coefficient_width=width)
    assert (covered == covered[:, :1]).all()
    assert covered[:, 0].sum(axis=1).max() == min(width, 10)
    assert bands(covered[:, 0]).max() <= 1


def test_masks_reach_the_widest_width_and_every_place():
    covered = masked([40] * 500, time_masks=1, time_width=4, time_share=1.0).any(axis=2)
    assert set(covered.sum(axis=1)) == {0, 1, 2, 3, 4}
    assert covered.any(axis=0).all()


def test_utterances_of_a_batch_are_masked_differently():
    covered = masked([40] * 8, time_masks=1, time_width=10, time_share=1.0).any(axis=2)
    assert len({row.tobytes() for row in covered}) > 1


def test_a_channel_is_one_constant_of_each_cepstrum_in_the_own_frames():
    frames = np.array([30, 12] * 200, np.int32)
    values = np.random.default_rng(0).normal(size=(400, 30, 12)).astype(np.float32)
    moved = SpecAugmentation(SpecAugment(channel=0.5), 8, seed=0)(values, frames, training=True).numpy() - values
    np.testing.assert_allclose(moved[0], np.broadcast_to(moved[0, :1], (30, 12)), atol=1e-6)
    np.testing.assert_allclose(moved[1, :12], np.broadcast_to(moved[1, :1], (12, 12)), atol=1e-6)
    assert not moved[:, :, 8:].any() and not moved[1::2, 12:].any()
    assert moved[:, 0, :8].std() == pytest.approx(0.5, rel=0.05)
    assert len(np.unique(moved[:, 0, :8])) > 3000


def test_the_layer_is_rebuilt_from_its_configuration():
    layer = SpecAugmentation(SpecAugment(time_masks=2, time_width=7), 8, seed=5)
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (again.masks, again.cepstra, again.seed) == (layer.masks, 8, 5)
