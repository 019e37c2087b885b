import subprocess
import sys
from pathlib import Path

import pytest
import tiny

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    tiny.write_config(folder)
    return folder


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("compare.py", ["tiny.yaml", "--out", "o", "--seeds", "0"], "--seeds: 1 or more wanted, found 0"),
        ("compare.py", ["tiny.yaml", "--out", "o", "--learning-rates", "1,x"], "--learning-rates: numbers above 0"),
        ("compare.py", ["tiny.yaml", "--out", "o", "--adding", "9"], "--adding: lengths of 10 or more wanted, found 9"),
        ("compare.py", ["tiny.yaml", "--out", "o", "--minutes", "nan"], "--minutes: more than 0 wanted, found nan"),
        ("compare.py", ["tiny.yaml", "--out", "o", "--cells", "lsmt"], "did you mean lstm?"),
        ("compare.py", ["tiny.yaml", "--out", "o", "--report-only"], "results of at least one training wanted"),
        ("tune.py", ["tiny.yaml"], "--trials or --minutes wanted, found neither"),
        ("tune.py", ["tiny.yaml", "--trials", "2"], "tune: keys with the values to choose from wanted"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, script, arguments, message):
    command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
