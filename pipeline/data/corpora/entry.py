"""What a corpus tells of an utterance."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """An utterance of a corpus.

    Attributes:
        audio: its file's path; whether it is there was not asked.
        text: its transcript as the corpus writes it; "" is silence.
        speaker: None if the corpus does not tell.
        duration: seconds; None if the corpus does not tell.
        start: where in the file it begins, in seconds; None if it is the whole file.
        end: where in the file it ends, in seconds; None if it goes on to the file's end.
    """

    audio: str
    text: str
    speaker: str | None = None
    duration: float | None = None
    start: float | None = None
    end: float | None = None
