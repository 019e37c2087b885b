"""An exported folder -> transcripts. Needs TensorFlow and numpy; no Keras."""

from pipeline.inference.recognizer import Recognizer

__all__ = ["Recognizer"]
