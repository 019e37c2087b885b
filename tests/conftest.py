import functools
import os
from pathlib import Path

import commands
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Synthesized speech is kept for the session, and not where the user keeps it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real speech beside the repository."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real speech wanted in {folder}, there is none")
    return folder


@pytest.fixture
def run_here(monkeypatch, capsys):
    """See `commands.run_here`, given a folder, a script and its arguments."""
    return functools.partial(commands.run_here, monkeypatch, capsys)
