import json

import pytest
import tiny

from pipeline.config import load_config, with_values
from pipeline.errors import InputError, PipelineError
from pipeline.study import trainings
from pipeline.study.adding import AddingProblem, run_adding
from pipeline.study.gradients import measure_gradient_flow
from pipeline.study.memory import MemoryTask, run_memory
from pipeline.study.memory_sequences import KINDS
from pipeline.study.report import best_rate, make_report
from pipeline.study.results import Results
from pipeline.study.trainings import Plan, run_trainings
from pipeline.study.variants import Variant

CELLS = (Variant("simple_rnn"), Variant("lstm"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A whole study, interrupted in its second training: its settings, folder, and the epochs of each call."""
    folder = tmp_path_factory.mktemp("study")
    settings = load_config(tiny.write_config(folder, model={"units": 48}, training={"epochs": 2}))
    calls = [[], []]

    def interrupted(name, epoch):
        calls[0].append((name, epoch["epoch"]))
        if name.startswith("lstm"):
            raise KeyboardInterrupt

    results = begun(folder / "out", settings)
    with pytest.raises(KeyboardInterrupt):
        run_trainings(settings, Plan(CELLS, seeds=1), results, interrupted)
    results = begun(folder / "out", settings)
    run_trainings(settings, Plan(CELLS, seeds=1), results, lambda name, epoch: calls[1].append((name, epoch["epoch"])))
    run_memory(settings, Plan(CELLS[1:], seeds=1), MemoryTask((0.25, 0.5), steps=4, batch=8, tested=6), results)
    run_adding(["gru"], [AddingProblem(10, steps=5)], 7, results, lambda *_: None)
    measure_gradient_flow(results)
    make_report(results)
    return settings, folder / "out", calls


def begun(folder, settings) -> Results:
    results = Results(folder)
    results.begin(settings, ["tiny.yaml", "model.units=48"])
    with results.made_by("python scripts/compare.py tiny.yaml"):
        pass
    return results


def test_a_command_that_cannot_be_used_made_no_results(study, tmp_path):
    settings, *_ = study
    results = begun(tmp_path, settings)
    with pytest.raises(InputError), results.made_by("python scripts/compare.py tiny.yaml --minutes 1"):
        raise InputError("minutes")
    assert Results(tmp_path).values["commands"] == ["python scripts/compare.py tiny.yaml"]


def test_an_adding_problem_of_other_steps_is_refused(study):
    _, folder, _ = study
    with pytest.raises(InputError, match="adding_steps = 5, now it is 6"):
        run_adding(["gru"], [AddingProblem(10, steps=6)], 7, Results(folder), lambda *_: None)


def test_an_interrupted_study_goes_on_where_it_was(study):
    *_, calls = study
    assert calls[0] == [("simple_rnn-0.01-seed7", 1), ("simple_rnn-0.01-seed7", 2), ("lstm-0.01-seed7", 1)]
    assert calls[1] == [("lstm-0.01-seed7", 2)]


def test_results_hold_error_rates_sizes_and_cost(study):
    _, folder, _ = study
    values = Results(folder).values
    assert list(values["trainings"]) == ["simple_rnn-0.01-seed7", "lstm-0.01-seed7"]
    for training in values["trainings"].values():
        assert training["failed"] is None and len(training["epochs"]) == 2
        assert sum(training["errors"]) == pytest.approx(training["wer"] * sum(values["test"]["words"]))
        assert abs(training["parameters"] / values["parameters"] - 1) < 0.02
        assert training["seconds"] > 0 and training["real_time_factor"] > 0
    (memory,) = values["memory"].values()
    assert set(memory["success"]) == set(KINDS) and all(len(shares) == 2 for shares in memory["success"].values())
    assert values["adding"]["gru, 10, 7"]["parameters"] > 0
    assert {reaches["training"] for reaches in values["gradients"].values()} == set(values["trainings"])
    for reaches in values["gradients"].values():
        assert all(seconds >= 0 for state in ("new", "trained") for seconds in reaches[state])


def test_the_report_has_tables_pictures_and_commands(study):
    _, folder, _ = study
    text = (folder / "report.md").read_text()
    for section in (
        "Error rates",
        "Cost",
        "Differences",
        "Learning curves",
        "Gradient flow",
        "Memory",
        "Adding problem",
        "Commands",
    ):
        assert f"\n## {section}\n" in text
    assert "simple_rnn less lstm" in text and "Spread over learning rates" not in text
    assert "train.py tiny.yaml model.units=48 model.cell=lstm" in text
    assert "data:image/png;base64," in (folder / "report.html").read_text()
    for name in (
        "learning_curves",
        "errors",
        "gradient_flow_new",
        "memory",
    ):
        assert (folder / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_another_seed_is_added_and_one_that_fails_does_not_stop_the_rest(study, monkeypatch):
    settings, folder, _ = study
    results = begun(folder, settings)
    before = json.loads(json.dumps(results.values["trainings"]))

    def diverges(own, *_):
        raise PipelineError(f"the loss is nan, {own.model.cell}")

    monkeypatch.setattr(trainings, "train", diverges)
    run_trainings(settings, Plan(CELLS, seeds=2), results)
    added = {name: each for name, each in Results(folder).values["trainings"].items() if name not in before}
    assert {name: training["failed"] for name, training in added.items()} == {
        "simple_rnn-0.01-seed8": "the loss is nan, simple_rnn",
        "lstm-0.01-seed8": "the loss is nan, lstm",
    }
    make_report(results)
    assert "| lstm-0.01-seed8 | failed |" in (folder / "report.md").read_text()


def test_gradients_are_those_of_the_best_training(study, monkeypatch):
    _, folder, _ = study
    results = Results(folder)
    monkeypatch.setattr(results, "save", lambda: None)
    known = results.values["trainings"]
    for worse in ("a worse one", "another"):
        known = {worse: {**known["lstm-0.01-seed7"], "best": {"cer": 9.0}}, **known}
    results.values["trainings"] = known
    measure_gradient_flow(results)
    found = [reaches["training"] for reaches in results.values["gradients"].values()]
    assert found == ["lstm-0.01-seed7", "simple_rnn-0.01-seed7"]


def test_several_learning_rates_are_told_side_by_side(study):
    _, folder, _ = study
    results = Results(folder)
    for name, training in list(results.values["trainings"].items())[:2]:
        changed = {"learning_rate": 0.1, "failed": "the loss is nan" if training["cell"] == "lstm" else None}
        results.values["trainings"][f"{name}-more"] = {**training, **changed}
    make_report(results)
    text = (folder / "report.md").read_text()
    assert "| variant | 0.01 | 0.1 | spread | failed |" in text and (folder / "plots" / "learning_rates.png").exists()


def test_a_budget_in_minutes_becomes_epochs_by_the_timed_one(study, monkeypatch):
    settings, folder, _ = study
    results = begun(folder.parent / "timed", settings)
    results.values["timing"] = {"simple_rnn": 3.0, "lstm": 6.0}
    seen = {}
    monkeypatch.setattr(trainings, "_trained", lambda own, *_: seen.update({own.model.cell: own.training.epochs}) or {})
    run_trainings(settings, Plan(CELLS, seeds=1, minutes=0.5), results)
    assert seen == {"simple_rnn": 10, "lstm": 5}
    with pytest.raises(InputError, match=r"a comparison with minutes = 0\.5, now it is 1"):
        run_trainings(settings, Plan(CELLS, seeds=1, minutes=1), results)


def test_the_best_learning_rate_is_the_one_that_fails_least_of_those_with_the_most_seeds():
    def trained(rate, cer, failed=None):
        return {"learning_rate": rate, "failed": failed, "best": {"cer": cer}}

    good = [trained(1, 0.5), trained(1, 0.5), trained(2, 0.3), trained(2, 0.4)]
    assert best_rate(good) == 2
    assert best_rate([*good[:3], trained(2, None, "the loss is nan")]) == 1
    assert best_rate([*good, trained(3, 0.1)]) == 2


def test_a_folder_with_another_study_is_refused(study):
    settings, folder, _ = study
    with pytest.raises(InputError, match=r"another configuration \(training\.epochs was 2, is 3\)"):
        begun(folder, with_values(settings, {"training.epochs": 3}))


def test_a_file_that_is_no_result_is_told(tmp_path):
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(InputError, match=r"results\.json: results of a comparison, version 1, wanted"):
        Results(tmp_path)
    with pytest.raises(InputError, match="results of at least one training wanted, found none"):
        make_report(Results(tmp_path / "none"))
