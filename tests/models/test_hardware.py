import keras
import pytest
import tensorflow as tf

from pipeline.models import hardware


def gpus(monkeypatch, *capabilities):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: list(capabilities))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(capabilities))
    details = lambda gpu: {} if gpu is None else {"compute_capability": gpu}  # noqa: E731
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)


@pytest.mark.parametrize(
    ("cores", "batch", "parts"), [(1, 32, 1), (2, 32, 2), (2, 7, 1), (2, 1, 1), (16, 32, 8), (3, 12, 3)]
)
def test_parts_are_no_more_than_cores_and_not_too_small(monkeypatch, cores, batch, parts):
    monkeypatch.setattr(hardware, "cores", lambda: cores)
    assert hardware.parts_of(batch) == parts


def test_a_gpu_has_the_batch_whole(monkeypatch):
    gpus(monkeypatch, (8, 0))
    monkeypatch.setattr(hardware, "cores", lambda: 8)
    assert hardware.parts_of(32) == 1


@pytest.mark.parametrize(
    ("flags", "quick"),
    [("fpu avx512f avx512_bf16", True), ("fpu amx_bf16 avx2", True), ("fpu avx512f avx512_bf", False), (None, False)],
)
def test_a_processor_tells_whether_it_is_quick_with_bfloat16(tmp_path, flags, quick):
    file = tmp_path / "cpuinfo"
    if flags:
        file.write_text(f"processor\t: 0\nflags\t\t: {flags}\nprocessor\t: 1\nflags\t\t: {flags}\n")
    assert hardware.multiplies_bfloat16(file) is quick


@pytest.mark.parametrize(
    ("capabilities", "quick"), [([(8, 0)], True), ([(9, 0), (7, 5)], False), ([(7, 5)], False), ([None], False)]
)
def test_with_a_gpu_it_is_the_gpu_that_counts(monkeypatch, tmp_path, capabilities, quick):
    (tmp_path / "cpuinfo").write_text("flags : avx512_bf16\n")
    gpus(monkeypatch, *capabilities)
    assert hardware.multiplies_bfloat16(tmp_path / "cpuinfo") is quick


def test_other_back_ends_decide_for_themselves(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("flags : avx512_bf16\n")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert not hardware.multiplies_bfloat16(tmp_path / "cpuinfo")
    assert hardware.parts_of(32) == 1
