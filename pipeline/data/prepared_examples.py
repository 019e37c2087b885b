"""An utterance as an example of a prepared set."""

import numpy as np

from pipeline.data.utterances import Utterance


def example(number: int, utterance: Utterance) -> tuple[str, dict]:
    """Its key, by which a set is ordered, and {"audio": int16 [samples], "text", "speaker", "id": string}.

    Args:
        number: of the utterance in its split.
        utterance: is read.

    Raises:
        UnreadableError: it cannot be.
    """
    key = f"{number:09d} {utterance.name}"
    samples = np.clip(np.round(utterance.load() * 32768), -32768, 32767).astype(np.int16)
    speaker = "" if utterance.speaker is None else utterance.speaker
    return key, {"audio": samples, "text": utterance.transcript, "speaker": speaker, "id": key}
