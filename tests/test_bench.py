import json
import subprocess
import sys
from pathlib import Path

import bench
import pytest
import soundfile
import tiny
from benchmarks import inference
from benchmarks.timing import rows, spread

from pipeline.config import load_config
from pipeline.errors import PipelineError
from pipeline.export.saved_model import export
from pipeline.training.trainer import train

ROOT = Path(__file__).resolve().parents[1]
TINY = ["--batch", "2", "--frames", "9", "--labels", "3", "--units", "5", "--repeats", "1"]


def run(*arguments):
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    train(load_config(tiny.write_config(folder, training={"epochs": 1})), folder / "run")
    export(folder / "run", folder / "out")
    return folder / "out"


@pytest.fixture
def measured(exported, monkeypatch, capsys):
    """What `bench.py inference` prints, without keeping these tests on one core: (JSON rows, stderr)."""
    monkeypatch.setattr(inference, "use_one_core", lambda: None)

    def measured(*options):
        bench.main(bench.arguments.parse_args(["inference", "--model", str(exported), "--repeats", "1", *options]))
        out, err = capsys.readouterr()
        return [json.loads(line) for line in out.splitlines() if "--json" in options] or out, err

    return measured


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


def test_every_way_of_inference_is_timed_on_the_same_audio(measured, exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    files = [str(exported.parent / f"test-{number}.wav") for number in range(3)]
    found, notes = measured("--json", "--task", "transcribe", "--task", "clip", "--task", "packet", *files)
    seconds = sum(soundfile.info(file).duration for file in files)
    assert found[0]["size"] == {"task": "transcribe", "utterances": 3, "seconds": round(seconds, 1)}
    ways = [(row["size"]["task"], row["implementation"]) for row in found]
    whole = ["pipeline", "pipeline, 20 keywords", "pipeline, batch 8", "pipeline, beam 16"]
    assert ways == [
        *(("transcribe", name) for name in whole),
        *(("clip", name) for name in whole[:2]),
        *(("packet", name) for name in ("pipeline", "pipeline, calm")),
    ]
    assert [line.split(" (")[0] for line in notes.splitlines()] == ["left out: LiteRT", "left out: pocketsphinx"]
    for row in found:
        assert list(row)[:5] == ["work", "size", "implementation", "median_ms", "ratio"]
        assert row["work"] == "inference" and 0 < row["min_ms"] <= row["median_ms"] <= row["p99_ms"]
    first = found[0]
    assert first["ratio"] == 1 and first["target"] == {"real_time_factor": 0.01}
    assert first["real_time_factor"] == pytest.approx(3 * first["median_ms"] / 1000 / seconds, rel=0.01)


def test_audio_is_made_up_where_none_is_given(measured):
    table, _ = measured("--task", "packet")
    assert table.startswith("inference: packet, 20 ms, ")
    assert [line.split("  ")[0] for line in table.splitlines()[1:]] == ["implementation", "pipeline", "pipeline, calm"]


def test_memory_is_of_a_process_of_its_own(measured):
    (found,), _ = measured("--json", "--task", "memory", "--hours", "0.001")
    assert found["size"] == {"task": "memory", "ms": 100, "hours": 0.001}
    assert 50 < found["warm_mb"] < 3000 and 50 < found["end_mb"] < 3000


def test_a_missing_model_is_one_line_and_exit_code_2(tmp_path):
    done = run("inference", "--model", str(tmp_path / "none"))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'none'}: an exported model's folder wanted")


def test_ratios_are_of_medians_and_times_of_one_item():
    first, second = rows({}, {"a": [10.0, 20.0, 90.0], "b": [50.0, 40.0, 30.0]}, items=10)
    assert (first.median_ms, first.ratio, first.more) == (2.0, 1.0, {"min_ms": 1.0, "p99_ms": 9.0})
    assert (second.median_ms, second.ratio, second.more) == (4.0, 2.0, {"min_ms": 3.0, "p99_ms": 5.0})


def test_99_in_100_times_are_at_most_the_99th_percentile():
    assert spread(range(1, 101)) == {"min_ms": 1, "p99_ms": 99}
    assert spread(range(1, 1001)) == {"min_ms": 1, "p99_ms": 990}
    assert spread([3.0, 1.0]) == {"min_ms": 1.0, "p99_ms": 3.0}


@pytest.mark.parametrize(
    "arguments",
    [[], ["sort"], ["ctc", "--batch", "0"], ["ctc", "--units", "two"], ["inference"], ["inference", "--hours", "nan"]],
)
def test_an_impossible_command_line_is_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "bench.py" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


@pytest.mark.parametrize("work", [[], ["ctc"], ["inference"]])
def test_help_has_an_example(work):
    assert "example:" in run(*work, "--help").stdout
