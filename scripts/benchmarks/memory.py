"""How much memory this process has."""

import os
import sys
from pathlib import Path

_PROCESS = Path("/proc/self")


def resident_megabytes() -> float:
    """Now; where the system does not tell, the most so far."""
    if (_PROCESS / "statm").exists():
        return int((_PROCESS / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return most_megabytes()


def forget_most() -> None:
    """Lets `most_megabytes` count from now on, where the system can."""
    if (_PROCESS / "clear_refs").exists():
        (_PROCESS / "clear_refs").write_text("5")


def most_megabytes() -> float:
    """The most there was."""
    if (_PROCESS / "status").exists():
        lines = (_PROCESS / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3
