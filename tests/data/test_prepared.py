import dataclasses
import functools
import json
import re
import sys
import types

import numpy as np
import pytest

from pipeline.audio import AudioError
from pipeline.config import Config, TfdsSource
from pipeline.data import prepared_beam, sources
from pipeline.data.prepared import prepare
from pipeline.data.tfds_source import read_tfds
from pipeline.data.utterances import Skipped, Utterance
from pipeline.errors import InputError, PipelineError

pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")

RATE = 8000


def tone(number):
    return (0.5 * np.sin(np.arange(800 + 10 * number) * 0.05 * (1 + number))).astype(np.float32)


def missing():
    raise AudioError("x.wav: no such file")


def utterances(count=6):
    return [
        Utterance(f"{n}.wav", f"text {n}", "ann" if n % 2 else None, 800 + 10 * n, functools.partial(tone, n))
        for n in range(count)
    ]


def read(path, split="train", rate=RATE):
    return read_tfds(TfdsSource(kind="tfds", path=str(path), split=split), path, rate)


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    out = tmp_path_factory.mktemp("ready") / "set"
    prepare({"train": utterances(), "dev-clean": utterances(2)}, out, RATE, 0.2, shards=2)
    return out


def test_what_is_prepared_is_what_was_there(ready):
    found = {u.transcript: u for u in read(ready)}
    assert len(found) == 6
    for number in range(6):
        utterance = found[f"text {number}"]
        np.testing.assert_allclose(utterance.load(), tone(number), atol=1 / 32767)
        assert utterance.samples == len(tone(number))
        assert utterance.speaker == ("ann" if number % 2 else None)


def test_splits_and_parts_of_them_can_be_asked_for(ready):
    assert len(read(ready, "dev_clean")) == 2
    part = read(ready, "train[:50%]")
    assert [u.transcript for u in part] == [u.transcript for u in read(ready)][:3]
    assert [len(u.load()) for u in part] == [u.samples for u in part]
    assert [u.samples for u in read(ready, rate=16000)] == [2 * u.samples for u in read(ready)]
    with pytest.raises(InputError, match="nowhere"):
        read(ready, "nowhere")


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_parts_of_a_set_are_told_apart(ready, tmp_path, cache):
    parts = [{"kind": "tfds", "path": str(ready), "split": split} for split in ("train[:3]", "train[3:]")]
    data = {"train": parts, "valid": parts, "cache": cache, "cache_folder": str(tmp_path)}
    settings = Config.model_validate({"name": "a", "features": {"sample_rate": RATE, "n_fft": 256}, "data": data})
    found = sources.read(settings.data.train, settings, "train")(0)
    for utterance, wanted in zip(found, read(ready), strict=True):
        assert utterance.transcript == wanted.transcript
        np.testing.assert_array_equal(utterance.load(), wanted.load())


def test_another_feature_may_tell_the_speaker_and_transcripts_their_own_form(ready):
    entry = {"kind": "tfds", "path": str(ready), "text": "text", "speaker": "id", "speaker_pattern": r"(\d)\.wav$"}
    entry["transcripts"] = {"remove": "0123456789"}
    settings = Config.model_validate(
        {"name": "a", "features": {"sample_rate": RATE, "n_fft": 256}, "data": {"train": [entry], "valid": [entry]}}
    )
    found = sources.read(settings.data.train, settings, "train")(0)
    assert sorted(u.speaker for u in found) == list("012345")
    assert {u.transcript.strip() for u in found} == {"text"}


@pytest.mark.parametrize("split", ["train[5:1]", "train[2:0]", "train[0:0]", "dev_clean + train[5:1]"])
def test_a_split_that_ends_before_it_begins_holds_no_examples(ready, split):
    with pytest.raises(InputError, match=rf"TFDS speech \({re.escape(split)}\): examples wanted, train.* holds none"):
        read(ready, split)


def test_the_same_utterances_give_the_same_content_after_an_interruption(ready, tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    broken = [*utterances()[:4], dataclasses.replace(utterances()[4], load=interrupted), utterances()[5]]
    with pytest.raises(KeyboardInterrupt):
        prepare({"train": broken}, tmp_path / "set", RATE, 0.2)
    skipped = Skipped()
    (found,) = prepare({"train": utterances()}, tmp_path / "set", RATE, 0.2, skipped={"train": skipped})
    assert (found.split, found.utterances, len(skipped)) == ("train", 6, 0)
    one, other = ([(u.transcript, u.load().tobytes()) for u in read(path)] for path in (ready, tmp_path / "set"))
    assert sorted(one) == sorted(other)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "set").rglob("*.array_record*")}
    prepare({"train": utterances()}, tmp_path / "set", RATE, 0.2)
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "set").rglob("*.array_record*")}


def test_an_unreadable_utterance_is_skipped_and_named(tmp_path, caplog):
    spoilt = [*utterances(9), dataclasses.replace(utterances()[0], name="x.wav", load=missing)]
    skipped = Skipped()
    (found,) = prepare({"train": spoilt}, tmp_path / "set", RATE, 0.2, skipped={"train": skipped})
    assert found.utterances == 9 and list(dict(skipped)) == ["x.wav"]
    assert len(read(tmp_path / "set")) == 9


def test_too_many_unreadable_ones_end_it(tmp_path):
    spoilt = [dataclasses.replace(u, load=missing) for u in utterances()[:2]] + utterances()[2:]
    with pytest.raises(InputError, match=r"skipped 2 of 6 utterances: 0\.wav \(x\.wav: no such file\)"):
        prepare({"train": spoilt}, tmp_path / "set", RATE, 0.2)
    with pytest.raises(InputError, match="the folder of a prepared set wanted, found none"):
        read(tmp_path / "set")


def test_each_split_has_its_own_share_of_unreadable_ones(tmp_path):
    one_bad = {
        split: [dataclasses.replace(u, load=missing) for u in utterances()[:1]] + utterances()[1:] for split in "ab"
    }
    skipped = {split: Skipped() for split in "ab"}
    found = prepare(one_bad, tmp_path / "set", RATE, 0.2, skipped=skipped)
    assert [each.utterances for each in found] == [5, 5] and [*map(len, skipped.values())] == [1, 1]


def test_bad_lines_and_unreadable_recordings_count_together(tmp_path):
    spoilt = [dataclasses.replace(u, load=missing) for u in utterances()[:1]] + utterances()[1:]
    bad_lines = Skipped()
    bad_lines.add("x.csv:7", "2 fields wanted, found 1")
    with pytest.raises(InputError, match=r"train: skipped 2 of 7 utterances: x\.csv:7 .*; 0\.wav .*; at most 20%"):
        prepare({"train": spoilt}, tmp_path / "set", RATE, 0.2, skipped={"train": bad_lines})


def test_of_two_that_prepare_a_set_at_once_the_second_is_sent_away(tmp_path):
    def refuse():
        with pytest.raises(PipelineError, match="set: another process prepares it"):
            prepare({"train": utterances()}, tmp_path / "set", RATE, 0.2)

    (found,) = prepare({"train": utterances()}, tmp_path / "set", RATE, 0.2, tell=refuse)
    assert found.utterances == 6


@pytest.mark.parametrize(
    ("splits", "rate", "told"),
    [
        ({"train": 3}, RATE, 'utterances {"train": 6, "dev_clean": 2}, wanted {"train": 3}'),
        ({"train": 6, "dev-clean": 2}, 2 * RATE, f"sample rate {RATE}, wanted {2 * RATE}"),
    ],
)
def test_what_is_different_of_another_set_is_told(ready, splits, rate, told):
    with pytest.raises(InputError, match=rf"holds another set \({re.escape(told)}\)"):
        prepare({split: utterances(count) for split, count in splits.items()}, ready, rate, 0.2)


def test_other_texts_are_another_set_but_what_came_to_nothing_is_none(ready, tmp_path):
    changed = {
        split: [dataclasses.replace(u, transcript="new") for u in utterances(count)]
        for split, count in (("train", 6), ("dev-clean", 2))
    }
    with pytest.raises(InputError, match="holds another set"):
        prepare(changed, ready, RATE, 0.2)
    spoilt = [dataclasses.replace(u, load=missing) for u in utterances()]
    with pytest.raises(InputError, match="skipped"):
        prepare({"train": spoilt}, tmp_path / "set", RATE, 0.2)
    assert prepare({"train": utterances(3)}, tmp_path / "set", RATE, 0.2)[0].utterances == 3


def test_another_sets_folder_is_refused(ready, tmp_path):
    with pytest.raises(InputError, match="holds another set"):
        prepare({"train": utterances(3)}, ready, RATE, 0.2)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="a new folder wanted"):
        prepare({"train": utterances(3)}, tmp_path, RATE, 0.2)


@pytest.mark.parametrize("shards", [-1, 0, 3])
def test_a_shard_with_nothing_in_it_is_refused_before_the_work(tmp_path, shards):
    splits = {"train": utterances(3), "valid": utterances(2)}
    with pytest.raises(InputError, match=f"shards: 1 to 2 wanted, .*, got {shards}"):
        prepare(splits, tmp_path / "set", RATE, 0.2, shards=shards)
    assert not (tmp_path / "set").exists()


@pytest.fixture
def beam():
    return pytest.importorskip("apache_beam.options.pipeline_options").PipelineOptions([])


def test_beam_prepares_the_same(ready, tmp_path, beam):
    found, _ = prepare({"train": utterances(), "dev-clean": utterances(2)}, tmp_path / "set", RATE, 0.2, beam)
    assert found.utterances == 6
    index = [path / "speech/1.0.0/index-train.jsonl" for path in (ready, tmp_path / "set")]
    one, other = ([json.loads(line) for line in file.read_text().splitlines()] for file in index)
    assert one == other
    assert not (tmp_path / "set" / "beam").exists()


def test_beam_names_what_it_skips(tmp_path, beam, caplog, monkeypatch):
    monkeypatch.setattr(prepared_beam, "_IN_A_FILE", 4)
    spoilt = [dataclasses.replace(u, load=missing) if n in (1, 9) else u for n, u in enumerate(utterances(12))]
    skipped = Skipped()
    (found,) = prepare({"train": spoilt}, tmp_path / "set", RATE, 0.2, beam, skipped={"train": skipped})
    assert found.utterances == 10
    assert list(skipped) == [("1.wav", "x.wav: no such file"), ("9.wav", "x.wav: no such file")]
    assert "skipped 9.wav: x.wav: no such file" in caplog.text


@pytest.mark.parametrize("bad", [2, 6])
def test_beam_ends_for_too_many_and_names_them(tmp_path, beam, bad):
    spoilt = [dataclasses.replace(u, load=missing) for u in utterances()[:bad]] + utterances()[bad:]
    with pytest.raises(InputError, match=rf"train: skipped {bad} of 6 utterances: 0\.wav \(x\.wav: no such file\)"):
        prepare({"train": spoilt}, tmp_path / "set", RATE, 0.2, beam)
    assert not (tmp_path / "set" / "beam").exists()


def test_beams_plan_holds_files_of_utterances_and_not_each_of_them(tmp_path, monkeypatch):
    made = []
    monkeypatch.setitem(
        sys.modules,
        "apache_beam",
        types.SimpleNamespace(Create=lambda items: set(items), FlatMap=lambda function: {function}),
    )
    monkeypatch.setattr(prepared_beam, "_IN_A_FILE", 4)
    with prepared_beam.BeamWork(tmp_path / "beam") as work:
        plan = work.examples("train", utterances(10))
        files = sorted(item for item in plan if isinstance(item, str))
        (function,) = plan - set(files)
        for file in files:
            made += function(file)
    assert len(files) == 3 and [each["text"] for _, each in made] == [f"text {n}" for n in range(10)]
    assert not (tmp_path / "beam").exists()
