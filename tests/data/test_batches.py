import itertools
import json

import numpy as np
import pytest
import soundfile
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Augment, Config, load_config
from pipeline.data.batches import Batches
from pipeline.data.manifest import read_manifest
from pipeline.data.splits import load_splits
from pipeline.data.utterances import Examples, Skipped, Utterance
from pipeline.errors import InputError
from pipeline.text import Units


@pytest.fixture
def splits(tmp_path):
    return load_splits(load_config(tiny.write_config(tmp_path)))


def names(batches, epoch):
    return [[example.utterance.name for example in examples] for examples in batches.plan(epoch)]


def test_an_epoch_holds_every_utterance_once(splits):
    for epoch in (0, 1):
        assert len({name for batch in names(splits.train, epoch) for name in batch}) == 24
        assert [len(batch) for batch in names(splits.train, epoch)] == [4] * 6
    assert splits.train.count() == 6


def test_the_seed_and_the_epoch_decide_the_batches(splits, tmp_path):
    again = load_splits(load_config(tmp_path / "tiny.yaml"))
    assert names(splits.train, 1) == names(again.train, 1) != names(splits.train, 2)
    for (_, (one, _)), (_, (other, _)) in zip(splits.train.of_epoch(1), again.train.of_epoch(1), strict=True):
        np.testing.assert_array_equal(one["audio"], other["audio"])


def test_batches_are_of_similar_lengths_and_padded_with_zeros(splits):
    lengths = [sorted(e.utterance.samples for e in batch) for batch in splits.valid.plan(0)]
    assert all(shorter[-1] <= longer[0] for shorter, longer in itertools.pairwise(lengths))
    for _, (inputs, labels) in splits.train.of_epoch(0, augment=False):
        audio, lengths = inputs["audio"], inputs["lengths"]
        assert lengths.max() == audio.shape[1]
        assert not any(row[length:].any() for row, length in zip(audio, lengths, strict=True))
        assert labels["label_lengths"].max() == labels["labels"].shape[1]


def test_a_transcript_outside_the_units_is_skipped_and_named(tmp_path):
    path = tiny.write_config(tmp_path)
    with (tmp_path / "valid.jsonl").open("a") as manifest:
        manifest.write(json.dumps({"audio_filepath": "valid-0.wav", "text": "xyz", "speaker": "valid"}) + "\n")
    skipped = load_splits(load_config(path)).skipped
    assert len(skipped) == 1 and "'xyz' has 'x'" in next(iter(skipped))[1]
    with pytest.raises(InputError, match="'xyz' has 'x'"):
        load_splits(load_config(path, ["units.unknown=error"]))


def test_labels_that_do_not_fit_are_found_before_training(tmp_path):
    path = tiny.write_config(tmp_path)
    with (tmp_path / "train.jsonl").open("a") as manifest:
        manifest.write(json.dumps({"audio_filepath": "train-0.wav", "text": "abc" * 50, "speaker": "train"}) + "\n")
    splits = load_splits(load_config(path))
    assert "its 150 labels need 150" in splits.skipped.summary(1)
    assert sum(len(batch) for batch in names(splits.train, 0)) == 24


def test_a_speaker_in_two_splits_is_refused_unless_asked_for(tmp_path):
    path = tiny.write_config(tmp_path)
    shared = "data.valid=[{kind: manifest, path: train.jsonl}]"
    with pytest.raises(InputError, match=r"speaker 'train' is both in data\.train and data\.valid"):
        load_splits(load_config(path, [shared]))
    load_splits(load_config(path, [shared, "data.allow_shared_speakers=true"]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"m\.jsonl:2: a JSON object wanted"),
        ("[1]", r"m\.jsonl:2: a JSON object wanted"),
        ('{"text": "a"}', r"m\.jsonl:2: 'audio_filepath' with a string wanted, found None"),
        ('{"audio_filepath": "", "text": "a"}', r"m\.jsonl:2: 'audio_filepath' with a file's name wanted, found ''"),
        ('{"audio_filepath": "a.wav", "text": 3}', r"m\.jsonl:2: 'text' with a string wanted, found 3"),
        ('{"audio_filepath": "a.wav", "text": "a", "duration": "long"}', r"m\.jsonl:2: 'duration' in seconds wanted"),
        ('{"audio_filepath": "a.wav", "text": "a", "duration": NaN}', r"m\.jsonl:2: 'duration' in seconds wanted"),
    ],
)
def test_a_bad_line_of_a_manifest_is_named(tmp_path, line, message):
    (tmp_path / "m.jsonl").write_text("\n" + line + "\n")
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path / "m.jsonl", 8000)


def test_a_manifest_that_is_missing_or_empty_is_named(tmp_path):
    (tmp_path / "empty.jsonl").touch()
    for name in ("empty.jsonl", "missing.jsonl"):
        with pytest.raises(InputError, match=name):
            read_manifest(tmp_path / name, 8000)


def test_joined_strings_are_of_one_speaker_and_new_in_each_epoch(tmp_path):
    path = tiny.write_config(tmp_path)
    join = "data.train=[{kind: manifest, path: train.jsonl, join: {utterances: 9, words: [2, 3]}}]"
    splits = load_splits(load_config(path, [join]))
    first, second = (splits.train.plan(epoch) for epoch in (0, 1))
    assert {example.utterance.speaker for batch in first for example in batch} == {"train"}
    assert {len(example.text.split()) for batch in first for example in batch} == {2, 3}
    assert sorted(e.text for b in first for e in b) != sorted(e.text for b in second for e in b)
    for examples, (inputs, _) in splits.train.of_epoch(0, augment=False):
        assert [example.utterance.samples for example in examples] == inputs["lengths"].tolist()


@pytest.fixture
def spoilt(tmp_path):
    """Splits with a file that turns out to be bad only when it is read."""
    path = tiny.write_config(tmp_path)
    (tmp_path / "train-3.wav").write_bytes(b"no audio")
    return load_splits(load_config(path))


def test_a_bad_file_is_skipped_named_and_counted_once(spoilt, caplog):
    for epoch in (0, 1):
        read = [example.utterance.name for examples, _ in spoilt.train.of_epoch(epoch) for example in examples]
        assert len(read) == 23 and not any(name.endswith("train-3.wav") for name in read)
    ((name, reason),) = spoilt.skipped
    assert name.endswith("train-3.wav") and "not audio that can be read" in reason
    assert [record.message for record in caplog.records] == [f"skipped {name}: {reason}"]
    assert spoilt.told() == "skipped 1 of 24 training utterances"


def test_a_batch_of_bad_files_only_is_left_out(tmp_path):
    path = tiny.write_config(tmp_path)
    for file in tmp_path.glob("valid-*.wav"):
        file.write_bytes(b"no audio")
    splits = load_splits(load_config(path, ["data.most_skipped=0.99", "data.batch_size=5"]))
    batches = splits.valid.of_epoch(0)
    with pytest.raises(InputError, match=r"data\.valid: none of 6 utterances can be used: not audio"):
        list(batches)
    assert len(splits.skipped) == 6


def test_more_bad_files_than_allowed_end_it_with_their_names(tmp_path):
    path = tiny.write_config(tmp_path)
    for number in range(8):
        (tmp_path / f"train-{number}.wav").write_bytes(b"no audio")
    splits = load_splits(load_config(path))
    with pytest.raises(InputError, match=r"data\.train: skipped 5 of 24 .*train-\d\.wav \(not audio.* allows 20%"):
        list(splits.train.of_epoch(0))
    splits = load_splits(load_config(path, ["data.most_skipped=0.4"]))
    assert sum(len(examples) for examples, _ in splits.train.of_epoch(0)) == 16


def test_bad_lines_and_bad_files_count_together(tmp_path):
    path = tiny.write_config(tmp_path)
    for number in range(3):
        (tmp_path / f"train-{number}.wav").write_bytes(b"no audio")
    with (tmp_path / "train.jsonl").open("a") as manifest:
        manifest.write("[]\n" * 3)
    list(load_splits(load_config(path, ["data.most_skipped=0.23"])).train.of_epoch(0))  # 6 of 27
    with pytest.raises(InputError, match=r"data\.train: skipped 6 of 27 utterances: .*train\.jsonl:25 .* allows 22%"):
        list(load_splits(load_config(path, ["data.most_skipped=0.22"])).train.of_epoch(0))


def test_each_line_of_a_bad_file_counts_but_not_again_in_the_next_epoch(tmp_path):
    path = tiny.write_config(tmp_path)
    with (tmp_path / "train.jsonl").open("a") as manifest:
        for text in ("a", "a", "b"):
            manifest.write(json.dumps({"audio_filepath": "none.wav", "text": text, "duration": 1}) + "\n")
    splits = load_splits(load_config(path))
    for epoch in (0, 1):
        assert sum(len(examples) for examples, _ in splits.train.of_epoch(epoch)) == 24
        assert [reason for _, reason in splits.skipped] == ["no such file"] * 3
    with pytest.raises(InputError, match=r"data\.train: skipped 3 of 27 utterances: .*none\.wav"):
        list(load_splits(load_config(path, ["data.most_skipped=0.1"])).train.of_epoch(0))


def test_epochs_of_other_utterances_do_not_add_up_to_too_many(tmp_path):
    path = tiny.write_config(tmp_path)
    lines = [json.dumps({"audio_filepath": f"none-{number}.wav", "text": "a", "duration": 1}) for number in range(4)]
    (tmp_path / "train.jsonl").write_text((tmp_path / "train.jsonl").read_text() + "\n".join(lines))
    quarter = "data.train=[{kind: manifest, path: train.jsonl, weight: 0.25}]"
    splits = load_splits(load_config(path, [quarter, "data.most_skipped=0.5"]))
    for epoch in range(16):
        list(splits.train.of_epoch(epoch))
    assert len(splits.skipped) == 4 and splits.told() == "skipped 4 training utterances"


def test_joined_strings_that_cannot_be_learnt_from_count_once_however_often_their_epoch_is_looked_at(tmp_path):
    path = tiny.write_config(tmp_path)
    joined = "data.train=[{kind: manifest, path: train.jsonl, join: {utterances: 20, words: [1, 6]}}]"
    longest = ["data.longest_seconds=2.5", "data.most_skipped=0.9"]
    splits = load_splits(load_config(path, [joined, *longest]))
    before = len(splits.skipped)
    list(splits.train.of_epoch(0))
    assert 0 < before == len(splits.skipped)


def test_what_was_delivered_stands_beside_its_batches(spoilt):
    spoilt.train.epoch = 1
    batches = list(spoilt.train)
    for (inputs, labels), (examples, seconds) in zip(batches, spoilt.train.delivered, strict=True):
        assert seconds == pytest.approx(inputs["lengths"].sum() / tiny.RATE)
        for row, length, example in zip(labels["labels"], labels["label_lengths"], examples, strict=True):
            assert tuple(row[:length]) == example.labels and not row[length:].any()


def test_validation_comes_in_the_same_order_and_unchanged_each_epoch(splits):
    assert names(splits.valid, 0) == names(splits.valid, 1)
    (_, (one, _)), *_ = splits.valid.of_epoch(0)
    (_, (other, _)), *_ = splits.valid.of_epoch(1)
    np.testing.assert_array_equal(one["audio"], other["audio"])


def test_training_audio_is_augmented_anew_in_each_epoch(splits):
    def lengths(epoch, **options):
        batches = splits.train.of_epoch(epoch, **options)
        return {
            e.utterance.name: n for examples, (x, _) in batches for e, n in zip(examples, x["lengths"], strict=True)
        }

    assert lengths(0) == lengths(0) != lengths(1)
    assert lengths(0, augment=False) == lengths(1, augment=False)


def test_speed_that_would_leave_too_few_frames_is_not_applied(tmp_path):
    path = tiny.write_config(tmp_path, augment={"speed": [30.0, 30.0]})
    splits = load_splits(load_config(path))
    plain, fast = (list(splits.train.of_epoch(0, augment=augment)) for augment in (False, True))
    for (_, (one, _)), (_, (other, _)) in zip(plain, fast, strict=True):
        np.testing.assert_array_equal(one["lengths"], other["lengths"])


def test_seconds_limit_a_batch_with_its_padding(tmp_path):
    path = tiny.write_config(tmp_path)
    splits = load_splits(load_config(path, ["data.batch_seconds=2.0", "data.batch_size=100"]))
    sizes = []
    for _, (inputs, _) in splits.train.of_epoch(0, augment=False):
        sizes.append(len(inputs["lengths"]))
        assert inputs["audio"].size <= 2.0 * tiny.RATE or len(inputs["lengths"]) == 1
    assert sum(sizes) == 24 and len(sizes) == splits.train.count() and max(sizes) > min(sizes)
    few = load_splits(load_config(path, ["data.batch_seconds=2.0", "data.batch_size=100"]), few_shapes=True)
    for _, (inputs, _) in few.train.of_epoch(0, augment=False):
        assert inputs["audio"].size <= 2.0 * tiny.RATE or len(inputs["lengths"]) == 1
    alone = load_splits(load_config(path, ["data.batch_seconds=0.01"]))
    assert alone.train.count() == 24
    both = load_splits(load_config(path, ["data.batch_seconds=100.0"]))
    assert both.train.count() == 6  # of batch_size


SLOWER = Augment(speed=(0.8, 0.9))
CHANGED = {"speed": [0.85, 1.15], "tempo": [0.9, 1.1], "silence_seconds": [0, 0.5]}


@pytest.mark.parametrize("own", [None, SLOWER])
@pytest.mark.parametrize("augment", [{}, CHANGED, {"tempo": [1, 6]}])
@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.integers(0, 5))
@settings(max_examples=5, deadline=None)
def test_a_tenth_at_most_is_padding(augment, own, seed, spread, epoch):
    random = np.random.default_rng(seed)
    signals = [np.zeros(round(n * 1000), np.float32) for n in np.exp(random.normal(1.0, spread, 400))]  # as in a corpus
    utterances = [
        Utterance(str(n), "ab" * (len(signal) // 160), None, len(signal), lambda s=signal: s, own if n % 2 else None)
        for n, signal in enumerate(signals)
    ]
    examples = Examples(utterances, str, Units("characters", ["a", "b"]))
    source = {"kind": "manifest", "path": "none"}
    data = {"train": [source, {**source, "augment": SLOWER}], "valid": [source], "batch_size": 8}
    sampled = {"sample_rate": 1000, "n_fft": 32}
    configured = Config.model_validate({"name": "tiny", "features": sampled, "data": data, "augment": augment})
    batches = Batches(lambda _: examples, configured, Skipped(), training=True)
    found = list(batches.of_epoch(epoch))
    assert [[e.utterance.name for e in batch] for batch, _ in found] == names(batches, epoch)
    assert sorted(int(e.utterance.name) for batch, _ in found for e in batch) == list(range(len(signals)))
    lengths = [inputs["lengths"] for _, (inputs, _) in found]
    in_order = np.sort(np.concatenate(lengths)).reshape(-1, 8)  # of few and very different ones even that is more
    assert padding(lengths) < max(0.1, padding(in_order) + 0.05)


def padding(lengths):
    """The share of padding in batches of signals of these lengths."""
    return 1 - sum(batch.sum() for batch in lengths) / sum(len(batch) * batch.max() for batch in lengths)


def test_what_is_longer_than_announced_and_too_long_is_skipped(tmp_path):
    path = tiny.write_config(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    soundfile.write(tmp_path / "long.wav", np.zeros(4 * tiny.RATE), tiny.RATE)
    lines[3] = {**lines[3], "audio_filepath": "long.wav", "duration": 0.5}
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    splits = load_splits(load_config(path, ["data.longest_seconds=3"]))
    assert sum(len(examples) for examples, _ in splits.train.of_epoch(0)) == 23
    assert [reason for _, reason in splits.skipped] == ["longer than 3 s"]


def test_some_of_what_is_augmented_is_shown_however_little_it_is(tmp_path):
    path = tiny.write_config(tmp_path, augment={"speed": None}, data={"batch_size": 12})
    tiny.write_speech(tmp_path, "valid", 2, 1)
    few = {"kind": "manifest", "path": "valid.jsonl", "augment": {"gain_db": [-6, -6]}}
    sources = json.dumps([{"kind": "manifest", "path": "train.jsonl"}, few])
    batches = load_splits(load_config(path, [f"data.train={sources}", "data.allow_shared_speakers=true"])).train
    pairs = batches.before_and_after(3)
    assert {name.split()[1] for name, *_ in pairs} <= {"valid-0", "valid-1"} and pairs
    for _, before, after in pairs:
        np.testing.assert_allclose(after, before * 10 ** (-6 / 20), atol=1e-6)


def test_a_compiler_has_few_sizes_to_compile_for_which_change_nothing_else(tmp_path):
    settings = load_config(tiny.write_config(tmp_path, data={"batch_size": 1}))
    plain, few = load_splits(settings).train, load_splits(settings, few_shapes=True).train
    sizes = set()
    for (_, (one, labels)), (_, (other, padded)) in zip(plain.of_epoch(0), few.of_epoch(0), strict=True):
        samples, count = one["audio"].shape[1], labels["labels"].shape[1]
        np.testing.assert_array_equal(other["audio"][:, :samples], one["audio"])
        np.testing.assert_array_equal(padded["labels"][:, :count], labels["labels"])
        assert not other["audio"][:, samples:].any() and not padded["labels"][:, count:].any()
        assert (
            samples <= other["audio"].shape[1] <= 1.125 * samples + 1 and count <= padded["labels"].shape[1] < 2 * count
        )
        sizes.add((other["audio"].shape[1], padded["labels"].shape[1]))
    assert len(sizes) <= 14  # of 24 utterances, a third of a second to one long


def test_the_number_of_threads_changes_nothing(tmp_path, monkeypatch):
    path = tiny.write_config(tmp_path, augment={"noise": {"made": ["white"]}, "silence_seconds": [0, 0.2]})
    found = []
    for cores in ({0}, set(range(8))):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: cores, raising=False)
        found.append([inputs["audio"].tobytes() for _, (inputs, _) in load_splits(load_config(path)).train.of_epoch(1)])
    assert found[0] == found[1]


def test_a_cache_changes_nothing(tmp_path):
    path = tiny.write_config(tmp_path)
    found = []
    for cache in ("none", "memory", "disk", "disk"):
        options = [f"data.cache={cache}", f"data.cache_folder={tmp_path / 'cache'}"]
        batches = load_splits(load_config(path, options)).train
        found.append([inputs["audio"].tobytes() for epoch in (0, 1) for _, (inputs, _) in batches.of_epoch(epoch)])
    assert found[0] == found[1] == found[2] == found[3]
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 24


@pytest.mark.parametrize(("quiet_db", "found"), [(20.0, {3}), (None, {0})])
def test_noise_over_an_utterance_does_not_hide_where_speech_begins(tmp_path, quiet_db, found):
    path = tiny.write_config(tmp_path, features={"hop_ms": 10.0}, training={"quiet_db": quiet_db})
    noise = {"noise": {"made": ["white"], "snr_db": [0, 0]}, "speed": None}
    for augment in (noise, {**noise, "silence_seconds": [1.0, 1.0]}):
        batches = load_splits(load_config(path, [f"augment={json.dumps(augment)}"])).train
        for _, (_, labels) in batches.of_epoch(0):
            later = 50 if "silence_seconds" in augment and quiet_db else 0  # frames of 20 ms in a second
            assert set((labels["onsets"] - later).tolist()) <= {n for frame in found for n in (frame - 1, frame)}
