import json
import subprocess
import sys
from pathlib import Path

import bench
import pytest

from pipeline.errors import PipelineError

ROOT = Path(__file__).resolve().parents[1]
TINY = ["--batch", "2", "--frames", "9", "--labels", "3", "--units", "5", "--repeats", "1"]


def run(*arguments):
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_json_is_an_object_an_implementation():
    done = run("ctc", "--json", *TINY)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [values["implementation"] for values in found] == ["pipeline", "keras.ops.ctc_loss"]
    for values in found:
        assert list(values) == ["work", "size", "implementation", "median_ms", "ratio"]
        assert values["work"] == "ctc"
        assert values["size"] == {"batch": 2, "frames": 9, "labels": 3, "units": 5}
        assert values["median_ms"] > 0 and values["ratio"] > 0
    assert found[0]["ratio"] == 1


def test_a_table_has_a_line_an_implementation(capsys):
    bench.main(bench.arguments.parse_args(["ctc", *TINY]))
    starts = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert starts == ["ctc:", "implementation", "pipeline", "keras.ops.ctc_loss"]


def test_losses_that_disagree_are_not_timed(monkeypatch):
    monkeypatch.setattr("keras.ops.ctc_loss", lambda labels, scores, *lengths: scores[:, 0, 0])
    with pytest.raises(PipelineError, match=r"keras\.ops\.ctc_loss differs from pipeline by"):
        bench.main(bench.arguments.parse_args(["ctc", *TINY]))


def test_labels_that_do_not_fit_are_one_line_and_exit_code_2():
    done = run("ctc", "--frames", "2", "--labels", "3", "--batch", "1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: --frames 2: 3 wanted for 3 labels and their repeats"


@pytest.mark.parametrize("arguments", [[], ["sort"], ["ctc", "--batch", "0"], ["ctc", "--units", "two"]])
def test_an_impossible_command_line_is_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "bench.py" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


@pytest.mark.parametrize("work", [[], ["ctc"]])
def test_help_has_an_example(work):
    assert "example:" in run(*work, "--help").stdout
