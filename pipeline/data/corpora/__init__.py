"""Speech corpora as they are downloaded -> their utterances."""

from pipeline.data.corpora.entry import Entry
from pipeline.data.corpora.manifest import write_manifest
from pipeline.data.corpora.read import FORMATS, detect_format, read_corpus

__all__ = ["FORMATS", "Entry", "detect_format", "read_corpus", "write_manifest"]
