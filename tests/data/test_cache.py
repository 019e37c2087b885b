import errno
import os

import numpy as np
import pytest

from pipeline.config import Config
from pipeline.data import cache


def data(**values):
    source = {"kind": "manifest", "path": "none"}
    settings = {"name": "tiny", "data": {"train": [source], "valid": [source], **values}}
    return Config.model_validate(settings).data


class Reads:
    """Counts how often it reads."""

    def __init__(self, value=0.5):
        self.count, self.value = 0, value

    def __call__(self):
        self.count += 1
        return np.full(1000, self.value, np.float32)


def test_memory_keeps_what_fits_and_reads_the_rest_again():
    kept, first, second = cache.MemoryCache(5000), Reads(), Reads()
    for _ in range(3):
        kept.get("a", first)
        kept.get("b", second)
    assert (first.count, second.count) == (1, 3)


def test_the_disk_keeps_audio_until_its_file_changes(tmp_path):
    file, reads = tmp_path / "a.wav", Reads(0.1)
    file.write_bytes(b"one")
    for _ in range(2):
        kept = cache.DiskCache(tmp_path / "cache", "16000 Hz")
        np.testing.assert_array_equal(kept.get(str(file), reads), np.full(1000, 0.1, np.float32))
    assert reads.count == 1
    file.write_bytes(b"another")
    kept.get(str(file), reads)
    assert reads.count == 2
    cache.DiskCache(tmp_path / "cache", "8000 Hz").get(str(file), reads)
    assert reads.count == 3


def test_a_damaged_file_in_the_cache_is_made_anew(tmp_path):
    file, reads = tmp_path / "a.wav", Reads()
    file.write_bytes(b"one")
    kept = cache.DiskCache(tmp_path / "cache", "16000 Hz")
    kept.get(str(file), reads)
    (stored,) = (tmp_path / "cache").rglob("*.npy")
    for size in (100, 0):
        stored.write_bytes(stored.read_bytes()[:size])
        assert len(kept.get(str(file), reads)) == 1000
    assert reads.count == 3


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "write_array", full)
    file, reads = tmp_path / "a.wav", Reads()
    file.write_bytes(b"one")
    kept = cache.DiskCache(tmp_path / "cache", "16000 Hz")
    for _ in range(3):
        assert len(kept.get(str(file), reads)) == 1000
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'cache'}: nothing is kept there any more (No space left on device)"
    ]


def test_what_is_half_written_is_never_there(tmp_path, monkeypatch):
    def stopped(stream, _):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        cache.write_array(tmp_path / "a.npy", np.zeros(3))
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_chooses(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder(data()) == tmp_path / "keras-speech-pipeline"
    assert str(cache.cache_folder(data(cache_folder="here"))) == "here"
    kinds = {kind: type(cache.make_cache(data(cache=kind), "16000 Hz")) for kind in ("memory", "disk", "none")}
    assert kinds == {"memory": cache.MemoryCache, "disk": cache.DiskCache, "none": cache.NoCache}
