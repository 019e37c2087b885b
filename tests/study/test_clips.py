import numpy as np
import pytest
import tiny

from pipeline.config import load_config
from pipeline.errors import InputError
from pipeline.study import clips
from pipeline.study.clips import COPIES, DIGITS, clips_of, synthesized_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    tiny.write_config(folder)
    return folder


def test_single_words_of_the_configuration_are_taken(folder):
    words, found = clips_of(load_config(folder / "tiny.yaml"))
    assert len(words) > 2 and words == sorted(words)
    heard = [clip for clip in found["train"] if clip.label == 0]
    assert len(heard) % (1 + COPIES) == 0 and found["valid"] and found["test"]
    assert {clip.speaker for clip in found["train"]}.isdisjoint(clip.speaker for clip in found["test"])
    assert all(clip.audio.dtype == np.float32 for clip in found["test"])


def test_a_split_without_clips_is_told(folder):
    with pytest.raises(InputError, match=r"data\.test: clips of single words wanted for the memory task .* found none"):
        clips_of(load_config(folder / "tiny.yaml", ["data.test=[]"]))


def test_synthesized_digits_share_no_voice(folder, monkeypatch):
    monkeypatch.setattr(clips, "SYNTHESIZED", {"train": 20, "valid": 10, "test": 10})
    words, found = synthesized_digits(load_config(folder / "tiny.yaml"))
    assert words == list(DIGITS)
    voices = [{clip.speaker for clip in own} for own in found.values()]
    assert not voices[0] & voices[1] and not voices[0] & voices[2] and not voices[1] & voices[2]
    assert {clip.label for clip in found["test"]} == set(range(10))  # each once before any comes again
