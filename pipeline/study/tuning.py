"""A search for better settings, by keras-tuner: what a configuration's `tune` section names is varied.

A trial is a training in a run's folder of its own. keras-tuner's oracles choose its settings; the trainer trains it.
"""

import contextlib
import io
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from pipeline.config import Config, Range, with_values
from pipeline.errors import InputError, PipelineError
from pipeline.study.median_rule import is_hopeless
from pipeline.study.results import check_same
from pipeline.training.run import Run, write_json, write_text
from pipeline.training.trainer import train

try:
    import keras_tuner
    from keras_tuner.engine.base_tuner import BaseTuner
except ImportError as error:
    raise PipelineError(f"keras-tuner wanted ({error}); pip install -r requirements-tune.txt") from error

log = logging.getLogger(__name__)

ORACLES = {"random": keras_tuner.oracles.RandomSearchOracle, "bayesian": keras_tuner.oracles.BayesianOptimizationOracle}
"""What chooses a trial's settings."""

_NO_LIMIT = 100_000


def tune(
    settings: Config,
    folder: str | Path,
    trials: int | None = None,
    minutes: float | None = None,
    oracle: str = "random",
    on_trial: Callable[[dict], None] = lambda trial: None,
) -> dict:
    """Searches, or goes on with the search in the folder; a trial that was interrupted goes on too.

    Args:
        settings: what is varied, and how, is in its `tune`.
        folder: for tune.json, best.yaml, trials/ID (runs), and hparams/ for TensorBoard.
        trials: in all, those of earlier calls included; default: no limit.
        minutes: of this call; the trial under way at their end is left for the next call. Default: no limit.
        oracle: one of ORACLES.
        on_trial: called after each trial with what tune.json then holds of it.

    Returns:
        What tune.json holds: "trials", with "values", "status", "cer" and more each; "best", one of them or None.

    Raises:
        InputError: nothing is to be varied, there is no budget, or the folder holds another search.
        PipelineError: what `train` raises, but for trainings that fail: those are failed trials.
    """
    if not settings.tune:
        raise InputError("tune: keys with the values to choose from wanted in the configuration, found none")
    if trials is None and minutes is None:
        raise InputError("a budget wanted, in trials or minutes")
    settings.training.check_learns()
    folder = Path(folder)
    search = _Search(settings, folder, on_trial)
    made = ORACLES[oracle](
        objective=keras_tuner.Objective("cer", "min"),
        max_trials=trials or _NO_LIMIT,
        hyperparameters=hyperparameters(settings),
        seed=settings.seed + 1,  # 0 would be no seed
        max_consecutive_failed_trials=_NO_LIMIT,
    )
    made.verbose = 0
    until = None if minutes is None else time.monotonic() + 60 * minutes
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints which file it read
            tuner = _Tuner(made, search, until, directory=str(folder), project_name="search")
    except RuntimeError as error:  # keras-tuner reads the state of that oracle only that wrote it
        raise InputError(f"{folder}: the oracle that the search began with wanted, found {oracle}") from error
    try:
        tuner.search()
    except _Ended as ended:
        if ended.error is not None:
            raise ended.error from None
    return search.save()


def hyperparameters(settings: Config) -> "keras_tuner.HyperParameters":
    """keras-tuner's form of a configuration's `tune`; a value of a list is its JSON."""
    space = keras_tuner.HyperParameters()
    for key, choices in settings.tune.items():
        if not isinstance(choices, Range):
            space.Choice(key, list(dict.fromkeys(json.dumps(value) for value in choices)))
        else:
            kind = space.Int if choices.is_whole else space.Float
            kind(key, choices.low, choices.high, sampling="log" if choices.log else "linear")
    return space


class _Ended(keras_tuner.errors.FatalError):
    """The search ends here, for want of time or because of an error; keras-tuner lets nothing else through."""

    def __init__(self, error: PipelineError | None = None):
        super().__init__(str(error))
        self.error = error


class _Stopped(Exception):
    """A trial is not worth going on with."""


class _Search:
    """What has been found so far, in the folder of a search."""

    def __init__(self, settings: Config, folder: Path, on_trial: Callable[[dict], None]):
        self.settings, self._folder, self._on_trial = settings, folder, on_trial
        self._path = folder / "tune.json"
        config = settings.model_dump(mode="json")
        # One key: with dots of their own, keys to vary could not be told from nested ones.
        config["tune"] = json.dumps(config["tune"], sort_keys=True)
        self._values: dict = {"config": config, "best": None, "trials": {}}
        if self._path.exists():
            try:
                self._values = json.loads(self._path.read_text(encoding="utf-8"))
                check_same(folder, self._values["config"], config)
            except (ValueError, KeyError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{self._path}: the results of a search wanted, found others ({error})") from error
        folder.mkdir(parents=True, exist_ok=True)

    def save(self) -> dict:
        write_json(self._path, self._values)
        return self._values

    def run(self, trial_id: str) -> Run:
        return Run(self._folder / "trials" / trial_id)

    def others(self, trial_id: str) -> list[list[float]]:
        """Character error rates after each epoch of the other trials."""
        return [trial["curve"] for name, trial in self._values["trials"].items() if name != trial_id]

    def add(self, trial_id: str, values: dict, status: str, epochs: list[dict], reason: str = "") -> None:
        best = min(epochs, key=lambda epoch: epoch["cer"], default=None)
        trial = {
            "trial": trial_id,
            "values": values,
            "status": status,
            "reason": reason,
            "cer": best and best["cer"],
            "wer": best and best["wer"],
            "epochs": len(epochs),
            "seconds": round(sum(epoch["seconds"] for epoch in epochs), 3),
            "curve": [epoch["cer"] for epoch in epochs],
        }
        trials = self._values["trials"]
        trials[trial_id] = trial
        whole = [each for each in trials.values() if each["status"] != "failed"]
        self._values["best"] = min(whole, key=lambda each: each["cer"], default=None)
        self._write_best()
        self.save()
        _to_tensorboard(self._folder / "hparams", self.settings, trial)
        self._on_trial(trial)

    def _write_best(self) -> None:
        best = self._values["best"]
        if best is None:
            return
        settings = with_values(self.settings, {**best["values"], "tune": {}, "name": f"{self.settings.name}-best"})
        told = (
            f"# The best of {len(self._values['trials'])} trials, {best['trial']}: CER {best['cer']:.1%}, "
            f"WER {best['wer']:.1%} on the validation data.\n# "
            + ", ".join(f"{key} = {json.dumps(value)}" for key, value in best["values"].items())
        )
        write_text(self._folder / "best.yaml", f"{told}\n{settings.to_yaml()}")


class _Tuner(BaseTuner):
    """Trains each trial by this pipeline's trainer."""

    def __init__(self, oracle, search: _Search, until: float | None, **places):
        self._search, self._until = search, until
        super().__init__(oracle=oracle, **places)

    def on_trial_begin(self, trial):
        self.save()  # so that a trial that is interrupted is known to the next call

    def run_trial(self, trial, *_, **__):
        if self._is_late:
            raise _Ended()
        search = self._search
        values = _values(search.settings, trial.hyperparameters.values)
        run = search.run(trial.trial_id)
        try:
            settings = with_values(search.settings, {**values, "tune": {}, "name": f"trial-{trial.trial_id}"})
        except InputError as error:  # values that do not go together
            self._fail(trial, values, run, error)
        on_epoch = self._on_epoch(trial.trial_id, run, settings.training.epochs)
        status = "finished"
        try:
            train(settings, run.folder, on_epoch)
        except _Stopped:
            status = "stopped"
        except InputError as error:
            raise _Ended(error) from error
        except (PipelineError, tf.errors.OpError) as error:
            self._fail(trial, values, run, error)
        finally:
            keras.backend.clear_session()
        epochs = _epochs(run)
        search.add(trial.trial_id, values, status, epochs)
        return {"cer": min(epoch["cer"] for epoch in epochs)}

    @property
    def _is_late(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _on_epoch(self, trial_id: str, run: Run, epochs: int) -> Callable[[dict], None]:
        def on_epoch(epoch: dict) -> None:
            curve = [each["cer"] for each in _epochs(run)]
            if is_hopeless(curve, self._search.others(trial_id), epochs):
                raise _Stopped
            if self._is_late and len(curve) < epochs:
                raise _Ended

        return on_epoch

    def _fail(self, trial, values: dict, run: Run, error: Exception) -> None:
        reason = " ".join(str(error).split())
        self._search.add(trial.trial_id, values, "failed", _epochs(run), reason)
        raise keras_tuner.errors.FailedTrialError(reason) from error


def _values(settings: Config, drawn: dict) -> dict:
    """By key, values as a configuration has them."""
    return {
        key: drawn[key] if isinstance(choices, Range) else json.loads(drawn[key])
        for key, choices in settings.tune.items()
    }


def _epochs(run: Run) -> list[dict]:
    return json.loads(run.metrics.read_text(encoding="utf-8"))["epochs"] if run.metrics.exists() else []


def _to_tensorboard(folder: Path, settings: Config, trial: dict) -> None:
    """The trial in TensorBoard's HParams, in a folder that holds nothing else."""
    from tensorboard.plugins.hparams import summary_v2 as api  # its `api` imports tf.keras, which may not be there

    if not folder.exists():
        metrics = [api.Metric("cer", display_name="CER"), api.Metric("wer", display_name="WER")]
        with tf.summary.create_file_writer(str(folder)).as_default():
            api.hparams_config(hparams=[api.HParam(key) for key in settings.tune], metrics=metrics)
    own = folder / trial["trial"]
    shutil.rmtree(own, ignore_errors=True)
    with tf.summary.create_file_writer(str(own)).as_default():
        told = {k: v if isinstance(v, str | int | float | bool) else json.dumps(v) for k, v in trial["values"].items()}
        api.hparams(told, trial_id=trial["trial"])
        for step, cer in enumerate(trial["curve"], start=1):
            tf.summary.scalar("cer", cer, step=step)
        if trial["cer"] is not None:  # the last is what the table shows
            tf.summary.scalar("cer", trial["cer"], step=len(trial["curve"]) + 1)
            tf.summary.scalar("wer", trial["wer"], step=len(trial["curve"]) + 1)
