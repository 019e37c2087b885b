import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.inference import Recognizer


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: an exported model's folder wanted"):
        Recognizer(tmp_path / "nowhere")


def test_a_folder_that_is_no_export_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no saved_model\.pb"):
        Recognizer(tmp_path)


def test_a_damaged_export_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"damaged")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "units.txt").write_text("# characters\n<blank>\na\n")
    with pytest.raises(InputError, match=r"model\.json"):
        Recognizer(tmp_path)
    (tmp_path / "assets" / "model.json").write_text('{"sample_rate": 8000, "frame_seconds": 0.03, "text": {}}')
    with pytest.raises(InputError, match="damaged export"):
        Recognizer(tmp_path)


@pytest.mark.parametrize("audio", [np.zeros((2, 9)), np.zeros(9, int), np.full(9, np.nan)])
def test_samples_that_are_no_audio_are_refused(audio):
    with pytest.raises(InputError, match="audio: "):
        Recognizer.log_probs(None, audio)
