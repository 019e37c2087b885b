import io
import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf
import tiny
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from pipeline.config import load_config
from pipeline.training.panels import Allowance
from pipeline.training.run import Run
from pipeline.training.trainer import train

MEASURED_BY_THE_CLOCK = {"seconds", "audio_seconds_per_second"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose pictures may take a quarter of its time, profiled; its settings, folder and events."""
    folder = tmp_path_factory.mktemp("panels")
    settings = load_config(tiny.write_config(folder, training={"pictures": 0.25, "shown": 2, "epochs": 2}))
    train(settings, folder / "run", profile=True)
    events = EventAccumulator(str(folder / "run" / "logs"), size_guidance={"tensors": 0})
    events.Reload()
    return settings, folder, events


def tags(events, group):
    return [tag for tag in events.Tags()["tensors"] if tag.startswith(group)]


def steps(events, tag):
    return [event.step for event in events.Tensors(tag)]


def test_validation_utterances_are_heard_once_and_seen_in_the_first_and_last_epoch(run):
    settings, folder, events = run
    files = sorted(folder.glob("valid-*.wav"), key=lambda file: soundfile.info(file).frames)
    shortest, longest = f"utterances/1 {files[0].stem}", f"utterances/2 {files[-1].stem}"
    parts = ("audio", "MFCC", "posteriors")
    assert set(tags(events, "utterances/")) == {f"{name}/{part}" for name in (shortest, longest) for part in parts}
    for name, file in ((shortest, files[0]), (longest, files[-1])):
        assert [steps(events, f"{name}/{part}") for part in parts] == [[1], [1], [1, 2]]
        heard, rate = soundfile.read(io.BytesIO(events.Tensors(f"{name}/audio")[0].tensor_proto.string_val[0]))
        np.testing.assert_allclose(heard, soundfile.read(file)[0], atol=1e-4)
        assert rate == settings.features.sample_rate
    rows = events.Tensors("transcripts")[-1].tensor_proto.string_val[0].decode().splitlines()
    texts = {line["audio_filepath"]: line["text"] for line in map(json.loads, (folder / "valid.jsonl").open())}
    assert [row.split("|")[1].strip(" *") for row in rows[2:]] == [texts[files[0].name], texts[files[-1].name]]


@pytest.mark.parametrize(
    "tag", ["errors/confusion of units", "errors/by duration and speaker", "gradient flow/through training"]
)
def test_pictures_are_pictures(run, tag):
    _, _, events = run
    assert steps(events, tag) == [1, 2]
    width, height, png = events.Tensors(tag)[-1].tensor_proto.string_val
    pixels = tf.io.decode_png(png).numpy()
    assert pixels.shape == (int(height), int(width), 3) and pixels.std() > 5


def test_weights_and_gradients_are_distributions_of_every_weight(run):
    _, folder, events = run
    model = Run(folder / "run").load()[2]
    names = {tag.removeprefix("weights/") for tag in tags(events, "weights/")}
    assert len(names) == len(model.trainable_variables)
    assert names == {tag.removeprefix("gradients/") for tag in tags(events, "gradients/")}
    sizes = sorted(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    counts = sorted(
        int(make_ndarray(events.Tensors(tag)[-1].tensor_proto)[:, 2].sum()) for tag in tags(events, "weights/")
    )
    assert counts == sizes
    spread = [make_ndarray(events.Tensors(tag)[-1].tensor_proto)[-1, 1] for tag in tags(events, "gradients/")]
    assert all(value > 0 for value in spread)


def test_augmented_training_utterances_are_there_before_training(run):
    _, _, events = run
    pictures = [tag for tag in tags(events, "augmentation/") if not tag.endswith(("before", "after"))]
    assert len(pictures) == 3 and steps(events, pictures[0]) == [0]
    before, after = (
        events.Tensors(f"{pictures[0]}/{when}")[0].tensor_proto.string_val[0] for when in ("before", "after")
    )
    assert before != after


def test_hyperparameters_and_the_best_epoch_are_there(run):
    _, folder, events = run
    best = json.loads((folder / "run" / "metrics.json").read_text())["best"]
    assert "_hparams_/session_start_info" in events.Tags()["tensors"]
    found = make_ndarray(events.Tensors("final/error rate, characters")[0].tensor_proto)
    assert float(found) == pytest.approx(best["cer"])


def test_on_demand_there_are_the_graph_and_a_profile(run):
    _, folder, events = run
    assert events.Tags()["graph"] and len(events.Graph().node) > 50
    (profile,) = (folder / "run" / "logs").rglob("*.xplane.pb")
    assert profile.stat().st_size > 10_000


def test_pictures_do_not_change_what_is_learnt(run, tmp_path):
    settings, folder, _ = run
    training = settings.training.model_copy(update={"pictures": 0.0})
    metrics = train(settings.model_copy(update={"training": training}), tmp_path / "plain")
    assert not (tmp_path / "plain" / "logs" / "plugins").exists()
    epochs = json.loads((folder / "run" / "metrics.json").read_text())["epochs"]
    for one, other in zip(metrics["epochs"], epochs, strict=True):
        # A norm is a sum in whatever order threads make it: its last digit is not the same each time.
        norms = {"gradient_norm", "gradient_norm_max"}
        exact = one.keys() - MEASURED_BY_THE_CLOCK - norms
        assert {k: one[k] for k in exact} == {k: other[k] for k in other.keys() - MEASURED_BY_THE_CLOCK - norms}
        assert {k: one[k] for k in norms} == pytest.approx({k: other[k] for k in norms}, rel=1e-6)


def test_the_allowance_holds_over_the_whole_training_and_spreads_what_is_left():
    now = 0.0
    allowance = Allowance(0.02, clock=lambda: now)

    def draw(seconds):
        nonlocal now
        with allowance.spending("pictures"):
            now += seconds

    drawn = []
    for epoch in range(1, 81):
        now += 10.0
        if epoch == 1:
            draw(6.0)
            allowance.begun()
        elif allowance.affords("pictures", epoch / 80):
            draw(1.0)
            drawn.append(epoch)
    assert allowance.spent <= 0.021 * now
    assert 8 <= len(drawn) <= 11 and max(np.diff([1, *drawn])) <= 16


def test_a_beginning_that_took_more_than_the_share_leaves_nothing():
    now = 0.0
    allowance = Allowance(0.02, clock=lambda: now)
    with allowance.spending("pictures"):
        now += 5.0
    allowance.begun()
    now += 5.0
    assert not allowance.affords("pictures", 0.5)
