import keras
import numpy as np
import pytest

from pipeline.errors import InputError, PipelineError
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint, write_atomically


def variables(*shapes):
    return [keras.Variable(np.random.default_rng(0).normal(size=shape), name="same_name") for shape in shapes]


def test_what_is_saved_is_loaded(tmp_path):
    saved, others = variables((2, 3), (4,), ()), variables((2, 3), (4,), ())
    for other in others:
        other.assign(other * 0)
    save_checkpoint(tmp_path / "c.npz", saved, {"epoch": 3})
    assert load_checkpoint(tmp_path / "c.npz", others) == {"epoch": 3}
    for one, other in zip(saved, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_of_another_model_changes_nothing(tmp_path):
    save_checkpoint(tmp_path / "c.npz", variables((2, 3), (4,)), {})
    others = variables((2, 3), (5,))
    before = [keras.ops.convert_to_numpy(other) for other in others]
    with pytest.raises(InputError, match="another model"):
        load_checkpoint(tmp_path / "c.npz", others)
    for one, other in zip(before, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint"])
def test_a_damaged_checkpoint_is_named(tmp_path, content):
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.npz: not a whole checkpoint"):
        load_checkpoint(tmp_path / "c.npz", variables((2,)))


def test_a_truncated_checkpoint_is_named(tmp_path):
    save_checkpoint(tmp_path / "c.npz", variables((200, 30)), {})
    whole = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "c.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"c\.npz: not a whole checkpoint"):
        load_checkpoint(tmp_path / "c.npz", variables((200, 30)))


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        load_checkpoint(tmp_path / "c.npz", [])


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(PipelineError, match=r"file: cannot be written, no space left"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
