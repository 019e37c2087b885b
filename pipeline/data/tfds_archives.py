"""The archives that a set of TensorFlow Datasets is made of: on disk, or to be had from the network."""

import contextlib
import os
import socket
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CONNECT_SECONDS = 5.0
_NAMED = 5
"""Files that a message names before it says `...`."""


@dataclass(frozen=True)
class Archives:
    """What a set is made of, and where it may lie already.

    Attributes:
        prepared: the folder that the set would be prepared in.
        urls: of its archives; of all its configurations, if it has several.
        names: of the files that TFDS takes from `manual`.
        kept_names: of those in `downloads`.
        manual: the user's own folder of archives.
        downloads: where TFDS keeps what it downloaded.
    """

    prepared: str
    urls: list[str]
    names: list[str]
    kept_names: list[str]
    manual: Path | None
    downloads: Path

    @classmethod
    def of(cls, builder: Any, manual: str | None, downloads: str | None) -> "Archives":
        from tensorflow_datasets.core.download.resource import get_dl_fname

        known = builder.url_infos or {}
        # A name with a slash is a URL again, as with Common Voice: no file in a folder can be called so.
        names = [info.filename for info in known.values() if info.filename and "/" not in info.filename]
        kept = [get_dl_fname(url, info.checksum) for url, info in known.items()]
        folder = Path(downloads) if downloads else Path(builder.data_dir_root) / "downloads"
        return cls(str(builder.data_dir), list(known), names, kept, Path(manual) if manual else None, folder)

    def any_there(self) -> bool:
        """Whether a part lies on disk. Of several it need not be all: each configuration wants its own."""
        if self.manual is not None and any((self.manual / name).exists() for name in self.names):
            return True
        wanted = set(self.kept_names)
        return any(name in wanted for _, _, files in os.walk(self.downloads) for name in files)

    def unreachable(self) -> str | None:
        """That the network is not there and what would help; None if it is, or nothing tells that it is wanted."""
        hosts = sorted({urllib.parse.urlparse(url).netloc.partition(":")[0] for url in self.urls})
        if not hosts or any(os.environ.get(key) for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")):
            return None
        try:
            socket.create_connection((hosts[0], 443), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            why = error.strerror or error
            return f"not prepared in {self.prepared}, and {hosts[0]} cannot be reached ({why}); {self._remedy()}"
        return None

    def _remedy(self) -> str:
        if not self.names:
            return "TFDS takes its archives from there only"
        if self.manual is None:
            return f"without a network put its archives ({_some(self.names)}) into a folder and name it as manual_dir"
        found = sorted(path.name for path in self.manual.iterdir())
        return f"without a network {_some(self.names)} wanted in manual_dir: {self.manual} holds {_some(found)}"


@contextlib.contextmanager
def one_try() -> Iterator[None]:
    """TFDS asks a host once meanwhile; it would ten times more, for minutes."""
    from tensorflow_datasets.core.download import downloader

    usual = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = 0
    try:
        yield
    finally:
        downloader.MAX_RETRIES = usual


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "") if names else "nothing"
