"""Augmentation: of waveforms, while batches are made; of features, in the model (features.py, which needs Keras)."""

from pipeline.augment.waveform import WaveformAugmentation

__all__ = ["WaveformAugmentation"]
