"""Audio that was read once, kept in memory or on disk."""

import contextlib
import hashlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.config import Data
from pipeline.errors import InputError

log = logging.getLogger(__name__)

Read = Callable[[], np.ndarray]


class MemoryCache:
    """Keeps arrays as they come until so many bytes are there; what comes later is read each time."""

    def __init__(self, most_bytes: float):
        self._left, self._kept, self._lock = most_bytes, {}, threading.Lock()

    def get(self, path: str, read: Read) -> np.ndarray:
        """What `read` gives for a file."""
        kept = self._kept.get(path)
        if kept is not None:
            return kept
        array = read()
        with self._lock:
            if path not in self._kept and array.nbytes <= self._left:
                self._left -= array.nbytes
                self._kept[path] = array
        return array


class DiskCache:
    """Keeps arrays in a folder, for as long as their files are what they were.

    Args:
        folder: is made when it is needed.
        kind: what else the arrays depend on: the rate, for example.
    """

    def __init__(self, folder: Path, kind: str):
        self._folder, self._kind, self._writes = folder, kind, True

    def get(self, path: str, read: Read) -> np.ndarray:
        """What `read` gives for a file."""
        try:
            stat = os.stat(path)
        except OSError:
            return read()  # which tells what is wrong
        key = f"{os.path.abspath(path)}\0{stat.st_size}\0{stat.st_mtime_ns}\0{self._kind}"
        return self.get_by_key(key, read)

    def get_by_key(self, key: str, read: Read) -> np.ndarray:
        """What `read` gives, which depends on nothing but the key."""
        name = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        file = self._folder / name[:2] / f"{name}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):  # not there, or damaged
            return np.load(file)
        array = read()
        if self._writes:
            try:
                write_array(file, array)
            except OSError as error:
                self._writes = False
                log.warning("%s: nothing is kept there any more (%s)", self._folder, error.strerror)
        return array


class NoCache:
    """Keeps nothing."""

    def get(self, path: str, read: Read) -> np.ndarray:
        return read()


Cache = MemoryCache | DiskCache | NoCache


def make_cache(data: Data, kind: str) -> Cache:
    """The cache that is configured; `kind` is what arrays depend on beside their file."""
    if data.cache == "memory":
        return MemoryCache(data.cache_gigabytes * 1e9)
    return DiskCache(cache_folder(data) / "audio", kind) if data.cache == "disk" else NoCache()


def cache_folder(data: Data) -> Path:
    """Raises: InputError: none is configured, and there is no home to have one in."""
    if data.cache_folder:
        return Path(data.cache_folder)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise InputError("data.cache_folder wanted, for there is no home folder") from error
    return Path(base) / "keras-speech-pipeline"


def write_array(file: Path, array: np.ndarray) -> None:
    """The whole file or none. Raises: OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, array)
        os.replace(beside, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
