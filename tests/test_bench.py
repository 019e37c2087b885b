import json
import os
import sys
import time
from types import SimpleNamespace

import bench
import commands
import numpy as np
import pytest
import tiny
from benchmarks import features, growth, peers, profile
from benchmarks import train as train_bench
from benchmarks.timing import Row, Stopwatch, print_rows, rows

from pipeline.config import Augment
from pipeline.errors import InputError, PipelineError

TINY = ["--batch", "2", "--frames", "9", "--labels", "3", "--units", "5", "--repeats", "1"]


def run(*arguments, **environment):
    return commands.run(commands.ROOT, "bench.py", *arguments, **environment)


def test_json_is_an_object_an_implementation():
    done = run("ctc", "--json", *TINY)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [values["implementation"] for values in found][:2] == ["pipeline", "keras.ops.ctc_loss"]
    for values in found:
        assert list(values)[:5] == ["work", "size", "implementation", "median_ms", "ratio"]
        assert values["work"] == "ctc"
        assert values["size"] == {"batch": 2, "frames": 9, "labels": 3, "units": 5}
        assert values["median_ms"] > 0 and values["ratio"] > 0 and values["memory_mb"] > 0
    assert found[0]["ratio"] == 1


def test_training_steps_agree_with_those_of_keras_and_a_table_shows_them(capsys):
    size = {"batch": 2, "frames": 9, "features": 3, "layers": 1, "hidden": 4, "units": 5, "labels": 2, "repeats": 1}
    options = [word for name, value in size.items() for word in (f"--{name}", str(value))]
    bench.main(bench.arguments.parse_args(["train", "--cell", "gru", *options]))
    out, err = capsys.readouterr()
    starts = [line.split("  ")[0] for line in out.splitlines()]
    assert starts[0].startswith("train: gru cell, 2 batch, 9 frames")
    assert starts[1:5] == ["implementation", "pipeline", "pipeline, bfloat16", "keras"]
    assert starts[5:] == ["pytorch"] or "left out: pytorch (No module named 'torch')" in err


def test_a_training_step_is_told_as_audio_a_second_and_share_of_a_peak(capsys, monkeypatch):
    monkeypatch.setattr(bench.train, "compared", lambda work, size, *_: [Row(size, "pipeline", 100.0, 1.0)])
    bench.main(bench.arguments.parse_args(["train", "--cell", "lstm", "--peak-tflops", "2", "--json"]))
    row = json.loads(capsys.readouterr().out)
    assert (row["steps_per_s"], row["audio_s_per_s"]) == (10, 10 * 32 * 300 * 0.03)
    gates = 39 * 1024 * 2 + 256 * 1024 * 3 + 2 * 256 * 1024 * 3  # the input has no gradient
    assert row["gflop_per_s"] == pytest.approx(2 * 9600 * (gates + 3 * 256 * 30) * 10 / 1e9, rel=1e-3)
    assert row["of_peak"] == pytest.approx(row["gflop_per_s"] / 2000, rel=1e-2)


def test_headings_stand_apart(capsys):
    print_rows(
        "features", [Row({"batch": 2}, "pipeline", 1.0, 1.0, {"memory_mb": 10.0, "times_real_time": 5000.0})], False
    )
    _, headings, values = capsys.readouterr().out.splitlines()
    assert headings.split("  ")[-1] == "times real time" and "memory mb  " in headings
    assert len(headings) == len(values)


def test_features_agree_with_those_of_the_peers(capsys, monkeypatch):
    monkeypatch.setattr(features, "SIZES", {"batch": 2, "seconds": 1})  # at which they are judged
    bench.main(bench.arguments.parse_args(["features", "--batch", "2", "--seconds", "1", "--repeats", "1", "--json"]))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [values["implementation"] for values in found][:2] == ["pipeline", "librosa"]
    assert found[0]["times_real_time"] == pytest.approx(2000 / found[0]["median_ms"], rel=0.01)
    assert found[1]["least"] == {"ratio": 2}


def test_a_profile_counts_every_operation_of_a_step_whenever_it_is_made(capsys, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    size = {"batch": 2, "frames": 60, "features": 3, "layers": 1, "hidden": 4, "units": 5, "labels": 2, "repeats": 2}
    options = [word for name, value in size.items() for word in (f"--{name}", str(value))]
    counts = []
    for _ in range(2):
        bench.main(bench.arguments.parse_args(["profile", "--cell", "lstm", "--json", *options]))
        whole, *parts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        counts.append({row["implementation"]: row["operations"] for row in parts if row["operations"]})
        assert all(row["ratio"] == pytest.approx(row["median_ms"] / whole["median_ms"], rel=0.02) for row in parts)
        assert sum(counts[-1].values()) == whole["operations"]
    assert counts[0] == counts[1]
    assert counts[0]["products, a frame"] == 2 * size["frames"]  # one there, one back
    assert counts[0]["gates, a frame"] > 30 * size["frames"] and counts[0]["CTC"] > 10 * size["frames"]


def test_features_are_profiled_by_kinds_of_operations(capsys, monkeypatch):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(features, "SIZES", {"batch": 4, "seconds": 2})
    bench.main(bench.arguments.parse_args(["profile", "--mfcc", "--repeats", "2", "--json"]))
    _, *parts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["implementation"]: row["operations"] for row in parts}["RFFT"] == 1


def test_a_part_of_the_profile_is_the_least_of_its_medians():
    gate, product = "while/body/Tanh:Tanh", "MatMul_1:_MklMatMul"
    found = profile._parts(
        [{gate: [1.0, 9.0, 2.0], product: [50.0]}, {gate: [3.0, 3.0, 3.0], product: [40.0]}], profile._part
    )
    assert found == {"gates, a frame": (6.0, 3), "products, all frames": (40.0, 1)}


def test_growth_is_drawn(tmp_path, monkeypatch, capsys):
    def compared(work, size, repeats, least, without):
        for name in ("pipeline", "pytorch"):
            yield Row(size, name, float(size["batch"]), 1.0, {"memory_mb": 10.0})

    monkeypatch.setattr(growth, "compared", compared)
    options = ["growth", "--cell", "lstm", "--out", str(tmp_path / "new" / "growth.png"), "--json"]
    bench.main(bench.arguments.parse_args(options))
    sizes = [json.loads(line)["size"] for line in capsys.readouterr().out.splitlines()]
    assert len(sizes) == 2 * sum(map(len, growth.STEPS.values()))
    assert {size["frames"] for size in sizes} == {300, *growth.STEPS["frames"]}
    assert (tmp_path / "new" / "growth.png").read_bytes().startswith(b"\x89PNG")


class FinishedWorker:
    def __init__(self, name, values):
        self.name, self._values = name, values

    def results(self):
        return {"loss": np.array(self._values)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.1], "loss of peer differs from that of pipeline by 0.0447, so times would not compare"),
        ([1.0, np.nan], "loss of peer differs from that of pipeline by nan"),
        ([1.0], r"loss of peer: \(2,\) wanted, found \(1,\)"),
    ],
)
def test_results_that_disagree_are_not_timed(values, message):
    workers = [FinishedWorker("pipeline", [1.0, 2.0]), FinishedWorker("peer", values)]
    with pytest.raises(PipelineError, match=message):
        peers.check("ctc", workers, {"peer": 1e-3})
    peers.check("ctc", [workers[0], FinishedWorker("peer", [1.0, 2.0001])], {"peer": 1e-3})


def test_a_peer_that_lacks_a_result_is_not_timed():
    workers = [FinishedWorker("pipeline", [1.0]), FinishedWorker("peer", [1.0])]
    workers[1].results = dict
    with pytest.raises(PipelineError, match="results of peer: loss wanted, found none"):
        peers.check("ctc", workers, {"peer": 1e-3})


def test_without_this_pipeline_there_is_nothing_to_compare(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no such thing')")
    done = run("ctc", *TINY, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.splitlines()[
        -1
    ] == "error: pipeline: no such thing"


def test_peers_can_be_left_out(capsys):
    bench.main(
        bench.arguments.parse_args(["ctc", *TINY, "--without", "keras.ops.ctc_loss", "--without", "pytorch", "--json"])
    )
    assert [json.loads(line)["implementation"] for line in capsys.readouterr().out.splitlines()] == ["pipeline"]


def test_a_gpu_that_is_not_there_is_told_before_anything_is_run(monkeypatch):
    torch = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(InputError, match="--gpu: a GPU wanted"):
        next(bench.arguments.parse_args(["train", "--gpu"]).measured(bench.arguments.parse_args(["train", "--gpu"])))
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(train_bench, "NVIDIA", commands.ROOT / "no such device")
    with pytest.raises(InputError, match="--gpu: an NVIDIA GPU wanted, found none"):
        next(bench.arguments.parse_args(["train", "--gpu"]).measured(bench.arguments.parse_args(["train", "--gpu"])))


def test_pytorch_is_to_need_as_much_memory_and_a_cell_is_measured_once(monkeypatch):
    def compared(work, size, repeats, least, without):
        for name, megabytes in (("pipeline", 40.04), ("pytorch", 30.0)):
            yield Row(size, name, 1.0, 1.0, {"memory_mb": megabytes}, least=least.get(name, {}))

    monkeypatch.setattr(train_bench, "compared", compared)
    arguments = bench.arguments.parse_args(["train", "--cell", "lstm", "--cell", "lstm"])
    assert [row.least for row in arguments.measured(arguments)] == [{}, {"ratio": 1.5, "memory_mb": 40.04}]


def test_a_worker_that_fails_is_told():
    with pytest.raises(PipelineError, match=r"pipeline: its process ended \(.*KeyError: 'batch'\)"):
        list(peers.compared("features", {"seconds": 1}, 1, {}))


@pytest.mark.parametrize("work", [["ctc"], ["train"], ["growth", "--out", "no.png"], ["profile"]])
def test_labels_that_do_not_fit_are_told_before_anything_is_run(work):
    arguments = bench.arguments.parse_args([*work, "--frames", "2", "--labels", "3", "--batch", "1"])
    with pytest.raises(InputError, match="--frames 2: 3 wanted for 3 labels and their repeats"):
        next(arguments.measured(arguments))


def test_growth_tells_of_a_step_that_does_not_fit_before_the_first_is_run(tmp_path):
    arguments = bench.arguments.parse_args(["growth", "--labels", "80", "--out", str(tmp_path / "growth.png")])
    with pytest.raises(InputError, match="--frames 75: "):
        next(arguments.measured(arguments))


def test_growth_tells_that_its_plot_cannot_be_written_before_the_first_is_run(tmp_path):
    (tmp_path / "file").touch()
    arguments = bench.arguments.parse_args(["growth", "--out", str(tmp_path / "file" / "growth.png")])
    with pytest.raises(InputError, match=r"growth\.png: a file to write wanted, "):
        next(arguments.measured(arguments))


@pytest.mark.parametrize("work", ["ctc", "features", "profile"])
def test_what_runs_on_tensorflow_alone_says_so(work, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(InputError, match="KERAS_BACKEND = jax: tensorflow wanted"):
        bench.main(bench.arguments.parse_args([work]))


def test_another_back_end_is_one_line_and_exit_code_2():
    done = run("train", KERAS_BACKEND="torch")
    assert (done.returncode, done.stderr) == (2, "error: KERAS_BACKEND = torch: tensorflow or jax wanted\n")


def test_ratios_are_of_medians_and_times_of_one_item():
    times = {"a": [(10.0, 5.0), (90.0, 6.0), (20.0, 4.0)], "b": [(50.0, 8.0), (30.0, 8.0), (40.0, 8.0)]}
    first, second = rows({}, times, items=10)
    assert (first.median_ms, first.ratio, first.more) == (2.0, 1.0, {"min_ms": 1.0, "max_ms": 9.0, "cpu_ms": 0.5})
    assert (second.median_ms, second.ratio, second.more) == (4.0, 2.0, {"min_ms": 3.0, "max_ms": 5.0, "cpu_ms": 0.8})


def test_sleep_takes_time_but_no_work():
    watch = Stopwatch()
    time.sleep(0.05)
    wall, cpu = watch.read()
    assert wall >= 50 and cpu < 40


@pytest.mark.parametrize("arguments", [[], ["sort"], ["ctc", "--batch", "0"], ["train", "--units", "1"], ["inference"]])
def test_an_impossible_command_line_is_exit_code_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "bench.py" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


def test_headings_of_a_table_stand_apart_and_above_their_columns(capsys):
    print_rows(
        "inference", [Row({"task": "file"}, "pipeline", 1.5, 1.0, {"cpu_ms": 2.5, "real_time_factor": 0.25})], False
    )
    _, heading, row = capsys.readouterr().out.splitlines()
    assert "cpu ms  real time factor" in heading
    assert len(heading) == len(row)


@pytest.mark.parametrize("work", [[], ["ctc"], ["inference"]])
def test_help_has_an_example(work):
    assert "example:" in run(*work, "--help").stdout


def test_augmentation_is_timed_setting_by_setting(capsys):
    options = ["augment", "--utterances", "1", "--threads", "1", "--repeats", "1", "--json"]
    bench.main(bench.arguments.parse_args(options))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"all", *Augment.model_fields} <= {values["implementation"] for values in found}
    assert all(values["times_real_time"] > 0 for values in found)


def test_a_training_by_stock_keras_learns_the_same(tmp_path, capsys):
    config = str(tiny.write_config(tmp_path))
    bench.main(bench.arguments.parse_args(["epochs", config, "training.epochs=2", "--json"]))
    out, err = capsys.readouterr()
    own, stock = (json.loads(line) for line in out.splitlines())
    assert (own["implementation"], stock["implementation"]) == ("pipeline", "keras")
    assert own["size"] == {"configuration": "tiny", "epochs": 2} and own["ratio"] == 1
    assert own["first_loss"] == pytest.approx(stock["first_loss"], rel=1e-3)
    assert own["last_loss"] == pytest.approx(stock["last_loss"], rel=1e-2) and own["last_loss"] < own["first_loss"]
    assert sum(line.startswith("epoch ") for line in err.splitlines()) == 4


def test_a_training_that_fails_is_named(tmp_path):
    config = tiny.write_config(tmp_path)
    (tmp_path / "train.jsonl").unlink()
    done = run("epochs", str(config))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: pipeline: ") and "train.jsonl" in done.stderr
