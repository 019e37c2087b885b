"""Several sources in one training set, each in its own way."""

import json

import numpy as np
import pytest
import soundfile
import tiny

from pipeline.config import Config, load_config
from pipeline.data import sources
from pipeline.data.splits import load_splits
from pipeline.data.utterances import Skipped
from pipeline.errors import InputError
from pipeline.training.trainer import train

RATE = 8000


def write(folder, name, count, level=0.1):
    lines = []
    for number in range(count):
        file = f"{name}-{number}.wav"
        soundfile.write(folder / file, level * np.sin(np.arange(4000 + number) / 5), RATE)
        lines.append({"audio_filepath": file, "text": f"{name.upper()} {number}", "speaker": name, "duration": 0.5})
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def source(name, **options):
    return {"kind": "manifest", "path": f"{name}.jsonl", **options}


def read(folder, *train, epoch=0, **data):
    values = {"folder": str(folder), "train": list(train), "valid": [train[0]], **data}
    settings = Config.model_validate({"name": "mix", "features": {"sample_rate": RATE, "n_fft": 256}, "data": values})
    return sources.read(settings.data.train, settings, "train")(epoch)


def names(utterances):
    return [utterance.transcript for utterance in utterances]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "a", 8)
    write(tmp_path, "b", 8)
    return tmp_path


def test_a_weight_is_how_often_an_epoch_has_each_utterance(folder):
    for weight, counts in ((3.0, {3}), (1.0, {1}), (2.5, {2, 3})):
        found = names(read(folder, source("a"), source("b", weight=weight)))
        assert {found.count(text) for text in found if text.startswith("B")} == counts
        assert {found.count(text) for text in found if text.startswith("A")} == {1}
        assert len(found) == 8 + 8 * weight


def test_of_a_fraction_each_epoch_has_others_and_all_have_their_turn(folder):
    epochs = [names(read(folder, source("a", weight=0.25), epoch=epoch)) for epoch in range(30)]
    assert {len(epoch) for epoch in epochs} == {2}
    assert len({tuple(epoch) for epoch in epochs}) > 5
    assert len({text for epoch in epochs for text in epoch}) == 8
    assert epochs[3] == names(read(folder, source("a", weight=0.25), epoch=3))


@pytest.mark.parametrize(
    ("weight", "wanted"),
    [
        (1e9, r"= 1e\+09: at most 1250000 wanted, .* at most 10,000,000 of the source's 8"),
        (0.001, r"= 0\.001: at least 0\.12 wanted, .* one of 8"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"join": {"utterances": 8}}])
def test_a_weight_without_a_sense_is_named(folder, weight, wanted, options):
    with pytest.raises(InputError, match=r"data\.train\.1\.weight " + wanted):
        read(folder, source("a"), source("b", weight=weight, **options))


def test_a_source_writes_its_transcripts_in_its_own_way(folder):
    found = names(read(folder, source("a"), source("b", text={"lowercase": True, "remove": "0"})))
    assert found[0] == "A 0" and found[8:10] == ["b", "b 1"]


def test_a_source_is_brought_to_its_level(folder):
    write(folder, "loud", 1, level=0.9)
    found = read(folder, source("a", level_db=-20), source("loud", level_db=-20), source("a", level_db=0))
    levels = [20 * np.log10(np.sqrt(np.mean(u.load() ** 2))) for u in (found[0], found[8])]
    assert levels == pytest.approx([-20, -20], abs=0.01)
    assert np.abs(found[9].load()).max() == pytest.approx(1)  # as loud as it can be


def test_silence_has_no_level_to_be_brought_to(tmp_path):
    write(tmp_path, "quiet", 1, level=0.0)
    assert not read(tmp_path, source("quiet", level_db=-20))[0].load().any()


def test_a_source_is_augmented_in_its_own_way(tmp_path):
    path = tiny.write_config(tmp_path, augment={"speed": None, "gain_db": [-20.0, -20.0]})
    both = f"[{{kind: manifest, path: train.jsonl}}, {json.dumps(source('a', augment={'silence_seconds': [1, 1]}))}]"
    write(tmp_path, "a", 4)
    symbols = json.dumps(["a", "b", "c", " ", *"0123456789"])
    splits = load_splits(load_config(path, [f"data.train={both}", f"units.symbols={symbols}"]))
    plain, changed = (
        {
            example.utterance.name: (int(length), float(np.abs(row).max()))
            for examples, (x, _) in splits.train.of_epoch(0, augment=augment)
            for example, row, length in zip(examples, x["audio"], x["lengths"], strict=True)
        }
        for augment in (False, True)
    )
    for name, (length, peak) in plain.items():
        if "/a-" in name:
            assert changed[name][0] == length + 2 * tiny.RATE and changed[name][1] == pytest.approx(peak)
        else:
            assert changed[name] == (length, pytest.approx(peak / 10, rel=1e-3))


def test_a_corpus_is_one_entry(tmp_path):
    for word in ("yes", "no"):
        (tmp_path / "words" / word).mkdir(parents=True)
        for speaker in range(30):
            soundfile.write(tmp_path / "words" / word / f"{speaker:08x}_nohash_0.wav", np.ones(800) * 0.1, RATE)
    entry = {"kind": "corpus", "path": "words"}
    everything = read(tmp_path, entry)
    parts = [read(tmp_path, {**entry, "split": split}) for split in ("training", "validation", "testing")]
    assert len(everything) == 60 == sum(map(len, parts)) and all(parts)
    assert {u.transcript for u in everything} == {"yes", "no"} and len(everything[0].load()) == 800
    with pytest.raises(InputError, match=r"nowhere: .*there is none"):
        read(tmp_path, {"kind": "corpus", "path": "nowhere"})


def test_a_piece_of_a_recording_is_an_utterance(tmp_path):
    ramp = np.linspace(-0.5, 0.5, 2 * RATE)
    soundfile.write(tmp_path / "long.wav", ramp, RATE, subtype="FLOAT")
    lines = [
        {"audio_filepath": "long.wav", "text": "one", "offset": 0.5, "duration": 0.25},
        {"audio_filepath": "long.wav", "text": "rest", "offset": 1.5},
        {"audio_filepath": "long.wav", "text": "past", "offset": 1.5, "duration": 1.0},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    one, rest, past = read(tmp_path, source("m"))
    np.testing.assert_allclose(one.load(), ramp[4000:6000], atol=1e-6)
    np.testing.assert_allclose(rest.load(), ramp[12000:], atol=1e-6)
    assert (one.samples, rest.samples) == (2000, 4000)
    with pytest.raises(InputError, match=r"long\.wav: a piece from 1\.5 to 2\.5 s wanted, it has 2 s"):
        past.load()


def test_one_bad_line_in_ten_is_skipped_and_named_and_one_in_three_ends_it(tmp_path):
    path = tiny.write_config(tmp_path)
    manifest = tmp_path / "train.jsonl"
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([*lines[:5], "{", *lines[5:]]))
    splits = load_splits(load_config(path))
    ((name, reason),) = splits.skipped
    assert name.endswith("train.jsonl:6") and "a JSON object wanted" in reason
    manifest.write_text("\n".join([*lines[:5], *["[]"] * 12, *lines[5:]]))
    with pytest.raises(InputError, match=r"data\.train: skipped 12 of 36 utterances: .*train\.jsonl:6"):
        load_splits(load_config(path))


@pytest.mark.parametrize(("split", "of"), [("valid", 9), ("test", 7)])
def test_each_splits_bad_lines_count_among_its_own(tmp_path, split, of):
    path = tiny.write_config(tmp_path)
    with (tmp_path / f"{split}.jsonl").open("a") as manifest:
        manifest.write("[]\n" * 3)
    with pytest.raises(InputError, match=rf"data\.{split}: skipped 3 of {of} utterances"):
        load_splits(load_config(path))


def test_a_training_that_stops_for_bad_data_lists_all_of_it(tmp_path):
    path = tiny.write_config(tmp_path)
    with (tmp_path / "train.jsonl").open("a") as manifest:
        manifest.write("[]\n" * 30)
    with pytest.raises(InputError, match=r"skipped 30 of 54 .* all that were skipped are in .*skipped\.jsonl"):
        train(load_config(path), tmp_path / "run")
    assert len((tmp_path / "run" / "skipped.jsonl").read_text().splitlines()) == 30


def test_without_a_place_for_bad_lines_the_first_ends_it(tmp_path):
    (tmp_path / "m.jsonl").write_text("{\n")
    with pytest.raises(InputError, match=r"m\.jsonl:1: a JSON object wanted"):
        read(tmp_path, source("m"))
    settings = load_config(tiny.write_config(tmp_path))
    sources.read(settings.data.train, settings, "train", skipped := Skipped())
    assert not len(skipped)
