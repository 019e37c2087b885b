"""Command lines: run as a user runs them, or in the tests' own process, which saves the seconds of another."""

import importlib
import logging
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import command

ROOT = Path(__file__).resolve().parents[1]


def run(folder, script, *arguments, **environment) -> subprocess.CompletedProcess:
    """`python SCRIPT ARGUMENTS` in a folder."""
    line = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})


def run_here(monkeypatch, capsys, folder, script, *arguments) -> subprocess.CompletedProcess:
    """The same by this process, where neither what TensorFlow prints nor the environment matters."""
    module = importlib.import_module(script.removesuffix(".py"))
    line = [script, *map(str, arguments)]
    code = 0
    log = logging.getLogger()
    handlers, level = log.handlers[:], log.level
    with monkeypatch.context() as patch, mock.patch.dict(os.environ):
        patch.chdir(folder)
        patch.setattr("sys.argv", line)
        try:
            command.run(module.main, module.arguments)
        except SystemExit as end:
            code = end.code
        finally:
            log.handlers[:] = handlers
            log.setLevel(level)
    return subprocess.CompletedProcess(line, code, *capsys.readouterr())
