"""`bench.py inference`: an exported model's speed."""

import json
import os
import sys
from types import SimpleNamespace

import bench
import numpy as np
import pytest
import soundfile
import tiny
from benchmarks import fresh, inference, sounds
from commands import run

from pipeline.config import load_config
from pipeline.errors import PipelineError
from pipeline.export.saved_model import export
from pipeline.text import Units
from pipeline.training.trainer import train


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    train(load_config(tiny.write_config(folder, training={"epochs": 1})), folder / "run")
    export(folder / "run", folder / "out")
    return folder / "out"


@pytest.fixture
def inferred(exported, capsys):
    """What `bench.py inference` says of a tiny export: objects, and the lines on stderr."""

    def inferred(*options):
        options = ["--model", str(exported), "--repeats", "1", "--json", *map(str, options)]
        bench.main(bench.arguments.parse_args(["inference", *options]))
        out, err = capsys.readouterr()
        return [json.loads(line) for line in out.splitlines()], err.splitlines()

    return inferred


def test_each_way_of_inference_hears_the_same_audio(inferred, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    for number in range(3):
        soundfile.write(tmp_path / f"{number}.wav", tiny.tones("abc", np.random.default_rng(number)), tiny.RATE)
    found, said = inferred("--task", "transcribe", "--task", "spot", "--task", "clip", "--task", "packet", tmp_path)
    assert [(row["size"]["task"], row["implementation"]) for row in found] == [
        ("transcribe", "pipeline"),
        ("transcribe", "pipeline, batch 8"),
        ("transcribe", "pipeline, beam 16"),
        ("spot", "pipeline"),
        ("spot", "pipeline, spot"),
        ("clip", "pipeline"),
        ("packet", "pipeline"),
    ]
    for row in found:
        assert list(row)[:5] == ["work", "size", "implementation", "median_ms", "ratio"]
        assert row["work"] == "inference" and 0 < row["min_ms"] <= row["median_ms"] <= row["max_ms"]
        assert row["cpu_ms"] >= 0 and set(row.get("target", {})) <= set(row)
    seconds = sum(soundfile.info(tmp_path / f"{number}.wav").duration for number in range(3))
    assert found[0]["size"] == {"task": "transcribe", "utterances": 3, "seconds": round(seconds, 1)}
    assert found[0]["real_time_factor"] == pytest.approx(3 * found[0]["median_ms"] / 1000 / seconds, rel=0.01)
    assert found[6]["median_ms"] <= found[6]["p99_ms"] <= found[6]["max_ms"]
    assert [line.split(" (")[0] for line in said if line.startswith("left out")] == [
        "left out: LiteRT",
        "left out: pocketsphinx",
    ]
    assert "one thread" in said[0] and said[-1].startswith("load of the last minute: ")


def test_what_starts_anew_is_on_one_core_and_the_caller_keeps_its_own(inferred, monkeypatch):
    lines, cores = [], os.sched_getaffinity(0)
    environment = dict(os.environ)

    def python(*line):
        lines.append((line[0], len(os.sched_getaffinity(0)), os.environ["TF_NUM_INTRAOP_THREADS"]))
        return '{"median_ms": 2.0, "early_mb": 30.0, "end_mb": 29.0}'

    monkeypatch.setattr(inference, "python", python)
    found, _ = inferred("--task", "start", "--task", "memory")
    assert [row["implementation"] for row in found] == ["pipeline", "transcribe.py", "pipeline"]
    assert found[1]["target"] == {"median_ms": 5000} and found[2]["growth_mb"] == 0
    assert {line[1:] for line in lines} == {(1, "1")}
    assert os.sched_getaffinity(0) == cores and dict(os.environ) == environment


def test_a_stream_in_a_process_of_its_own_tells_times_and_memory(exported, tmp_path, capsys):
    np.save(tmp_path / "all.npy", np.concatenate(sounds.utterances(tiny.RATE, 2)))
    fresh.main(str(exported), "tensorflow", str(tmp_path / "all.npy"), "0.002")
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["min_ms"] <= found["median_ms"] <= found["max_ms"]
    assert 10 < found["early_mb"] < 10_000 and 10 < found["end_mb"] < 10_000


def test_runtimes_that_hear_something_else_are_not_timed(capsys):
    def hears(probabilities):
        return SimpleNamespace(log_probs=lambda audio: np.log(np.array([probabilities] * len(audio))))

    recognizers = {"one": hears([0.9, 0.1]), "near": hears([0.85, 0.15])}
    inference._check_alike(recognizers, [np.zeros(3), np.zeros(1)])
    assert "posteriors of near are 0.050 from those of one" in capsys.readouterr().err
    with pytest.raises(PipelineError, match=r"far: posteriors are 0\.800 from those of one"):
        inference._check_alike({"one": hears([0.9, 0.1]), "far": hears([0.1, 0.9])}, [np.zeros(3)])


@pytest.mark.parametrize("units", [Units("characters", [" ", "'", "a"]), Units("words", ["<other>", "on", "off"])])
def test_keywords_are_ones_that_the_units_spell(units):
    found = sounds.keywords(units, 20)
    assert len(found) == 20
    assert all(units.decode(units.encode(keyword)) == keyword for keyword in found)


def test_made_up_audio_is_finite_and_always_the_same():
    first, again = sounds.utterances(8000), sounds.utterances(8000)
    assert [len(audio) for audio in first] == [8000 * seconds for seconds in range(2, 10)]
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    assert all(np.isfinite(audio).all() and np.abs(audio).max() <= 1 for audio in first)


@pytest.mark.parametrize(
    "options, problem",
    [
        (["--model", "none"], "none: an exported model's folder wanted, there is none"),
        (["--model", "EXPORTED", "none.wav"], "none.wav: "),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(exported, tmp_path, options, problem):
    options = [exported if option == "EXPORTED" else option for option in options]
    done = run(tmp_path, "bench.py", "inference", *options)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {problem}")
