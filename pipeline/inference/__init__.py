"""An exported folder -> transcripts. Needs TensorFlow and numpy; no Keras."""

from pipeline.inference.recognizer import Recognizer
from pipeline.inference.stream import Endpoints, Stream

__all__ = ["Endpoints", "Recognizer", "Stream"]
