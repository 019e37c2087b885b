import json

import numpy as np
import pytest
import soundfile
import tiny

from pipeline.config import TfdsSource, load_config
from pipeline.data.splits import load_splits
from pipeline.data.tfds_source import read_tfds

pytest.importorskip("array_record")


def test_a_configurations_speech_becomes_a_set_that_trains_alike(tmp_path, run_here):
    path = tiny.write_config(tmp_path)
    done = run_here(tmp_path, "prepare.py", path, tmp_path / "ready", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["split"], line["utterances"]) for line in lines] == [("train", 24), ("valid", 6), ("test", 4)]
    entries = [f"data.{split}=[{{kind: tfds, path: ready, split: {split}}}]" for split in ("train", "valid", "test")]
    plain, ready = load_splits(load_config(path)), load_splits(load_config(path, entries))

    def content(splits):
        return sorted(
            (example.text, row[:length].round(3).tobytes())
            for examples, (x, _) in splits.train.of_epoch(0, augment=False)
            for example, row, length in zip(examples, x["audio"], x["lengths"], strict=True)
        )

    assert [text for text, _ in content(ready)] == [text for text, _ in content(plain)]
    assert sorted(ready.units.symbols) == sorted(plain.units.symbols)


def test_a_set_has_all_of_each_source_whatever_an_epoch_has(tmp_path, run_here):
    path = tiny.write_config(tmp_path)
    for weight in (0.25, 3):
        out = tmp_path / f"ready-{weight}"
        done = run_here(tmp_path, "prepare.py", path, out, f"data.train.0.weight={weight}")
        assert "train, 24 utterances" in done.stdout, done.stderr
    done = run_here(tmp_path, "prepare.py", path, tmp_path / "joined", "data.train.0.join={utterances: 5}")
    assert "train, 5 utterances" in done.stdout
    assert "data.train.0: the strings that `join` makes for the first epoch are kept" in done.stderr


def test_the_share_that_may_be_bad_is_that_of_files_of_phrases_too(tmp_path, run_here):
    (tmp_path / "phrases.txt").write_text("stop\n(go\n")
    phrases = f"{{kind: synthesis, phrases_file: {tmp_path / 'phrases.txt'}, utterances: 2}}"
    path = tiny.write_config(tmp_path)
    for most, code in ((0.4, 2), (0.5, 0)):
        options = ["--most-skipped", str(most), f"data.train=[{phrases}]", "data.valid.0.path=valid.jsonl"]
        done = run_here(tmp_path, "prepare.py", path, tmp_path / f"ready-{most}", *options)
        assert done.returncode == code, done.stderr


def test_a_corpus_becomes_a_manifest(tmp_path, run_here):
    for word in ("yes", "no"):
        (tmp_path / "words" / word).mkdir(parents=True)
        soundfile.write(tmp_path / "words" / word / "0a0b_nohash_0.wav", np.ones(800) * 0.1, 8000)
    done = run_here(tmp_path, "prepare.py", tmp_path / "words", tmp_path / "words.jsonl")
    assert done.returncode == 0 and "2 utterances" in done.stdout
    lines = [json.loads(line) for line in (tmp_path / "words.jsonl").read_text().splitlines()]
    assert {line["text"] for line in lines} == {"yes", "no"}
    (tmp_path / "valid.jsonl").write_text('{"features_filepath": "a.npy", "text": "not asked for"}\n')
    done = run_here(tmp_path, "prepare.py", tmp_path / "words.jsonl", tmp_path / "ready", "--rate", "8000")
    assert done.returncode == 0 and "train, 2 utterances" in done.stdout, done.stderr


def test_a_part_of_a_set_goes_by_the_splits_own_name_and_its_entrys_values_are_yaml(tmp_path, run_here, real_data):
    words = "[zero, one, two, three, four, five, six, seven, eight, NINE]"
    folders = [f"manual_dir={real_data / 'spoken_digit'}", f"data_dir={tmp_path / 'sets'}"]
    options = ["--split", "train[:1%]+train[-1%:]", "--rate", "8000", f"label_texts={words}", *folders, "--json"]
    done = run_here(tmp_path, "prepare.py", "tfds:spoken_digit", tmp_path / "ready", *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["split"] == "train" and json.loads(done.stdout)["utterances"] == 50
    source = TfdsSource(kind="tfds", path="ready")
    assert {u.transcript for u in read_tfds(source, tmp_path, 8000)} <= set(words[1:-1].split(", "))


@pytest.fixture
def spoilt(tmp_path):
    """A table of six recordings with one line that is none, and one file that is missing."""
    soundfile.write(tmp_path / "a.wav", np.ones(800) * 0.1, 8000)
    lines = ["path,text", *(f"a.wav,{number}" for number in range(6)), "a.wav", "none.wav,7"]
    (tmp_path / "t.csv").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path / "t.csv"


def test_bad_lines_of_a_corpus_are_left_out_of_a_set_and_named(tmp_path, run_here, spoilt):
    arguments = [spoilt, tmp_path / "ready", "--rate", "8000", "--most-skipped", "0.3", "--json"]
    for again in (False, True):  # the second finds it done
        done = run_here(tmp_path, "prepare.py", *arguments)
        assert done.returncode == 0, done.stderr
        values = json.loads(done.stdout)
        assert (values["utterances"], values["skipped"]) == (6, 2)
        assert f"skipped {spoilt}:8: 2 fields wanted as in the header, found 1" in done.stderr
        lines = (tmp_path / "ready" / "skipped.jsonl").read_text().splitlines()
        assert [json.loads(line)["audio"] for line in lines] == [f"{spoilt}:8", f"{tmp_path}/none.wav"]
        assert json.loads(lines[1])["reason"] == "no such file"
        assert (f"skipped {tmp_path}/none.wav: no such file" in done.stderr) != again
        assert ("ready: was whole already, no recording was read; to prepare it anew" in done.stderr) == again
        assert ("skipped 2 of 8 utterances" in done.stderr) != again
        assert "Dataset" not in done.stderr  # what TFDS says of itself
    done = run_here(tmp_path, "prepare.py", *arguments[:-3])  # 2 of 8 are more than is allowed by default
    assert done.returncode == 2 and "train: skipped 2 of 8 utterances" in done.stderr.splitlines()[-1]
    assert run_here(tmp_path, "prepare.py", *arguments).returncode == 0  # nothing was lost by that


def test_bad_lines_of_a_corpus_are_left_out_of_a_manifest_and_named(tmp_path, run_here, spoilt):
    done = run_here(tmp_path, "prepare.py", spoilt, tmp_path / "t.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"utterances": 7, "skipped": 1} and "t.csv:8" in done.stderr
    assert len((tmp_path / "t.jsonl").read_text().splitlines()) == 7


@pytest.mark.parametrize("out", ["ready", "t2.jsonl"])
def test_more_bad_lines_than_allowed_end_it_with_all_of_them(tmp_path, run_here, spoilt, out):
    with spoilt.open("a") as table:
        table.write("a.wav\n" * 4)
    done = run_here(tmp_path, "prepare.py", spoilt, tmp_path / out)
    assert done.returncode == 2 and "skipped 5 of 12 utterances" in done.stderr.splitlines()[-1]
    assert sum(line.startswith("skipped ") for line in done.stderr.splitlines()) == 5
    assert [file.name for file in (tmp_path / out).glob("*")] == (["skipped.jsonl"] if out == "ready" else [])
    done = run_here(tmp_path, "prepare.py", spoilt, tmp_path / out, "--most-skipped", "0.5")
    assert done.returncode == 0, done.stderr


def test_more_unreadable_recordings_than_allowed_are_listed_but_not_in_others_folders(tmp_path, run_here, spoilt):
    with spoilt.open("a") as table:
        table.write("none.wav,8\nnone.wav,9\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for out, told in (("ready", "all that were skipped are in "), ("mine", "a new folder wanted")):
        done = run_here(tmp_path, "prepare.py", spoilt, tmp_path / out, "--rate", "8000")
        assert done.returncode == 2 and told in done.stderr.splitlines()[-1]
    lines = (tmp_path / "ready" / "skipped.jsonl").read_text().splitlines()
    assert [json.loads(line)["audio"] for line in lines] == [
        f"{spoilt}:8",
        *[f"{tmp_path}/none.wav"] * 2,
    ]  # when it ended
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "out"], "error: nowhere: a corpus's folder or table wanted, there is none"),
        (["nowhere.jsonl", "out"], "error: nowhere.jsonl: a manifest wanted, no such file"),
        (["tfds:spoken_dig", "out"], "error: TFDS spoken_dig: no such set; the nearest: spoken_digit"),
        (
            ["tfds:spoken_digit", "out", "spilt=train"],
            "error: tfds:spoken_digit: unknown key data.train.0.spilt; did you mean split?",
        ),
        (["tfds:spoken_digit", "out", "label_texts=[a"], "error: override 'label_texts=[a': the value is not YAML"),
        (["nowhere", "out", "--rate", "0"], "error: nowhere: features.sample_rate = 0: "),
        (
            ["features.jsonl", "out"],
            "features.jsonl: recordings (audio_filepath) wanted, found features_filepath; there is nothing to prepare",
        ),
        (["features.yaml", "out"], "features.yaml: features.input = audio wanted, found features; there is nothing"),
        (["nowhere.yaml", "out"], "error: nowhere.yaml: a configuration file wanted"),
        (["features.yaml", "out", "--rate", "8000"], "error: --rate: not with a configuration"),
        (["features.yaml", "out", "--format", "csv"], "error: --format: a corpus as SOURCE wanted with it, found "),
        (["nowhere.jsonl", "out", "--format", "csv"], "error: --format: a corpus as SOURCE wanted with it, found no"),
        (["corpus", "out.jsonl", "split=dev"], "error: split=dev: a folder as OUT wanted with it, found a manifest"),
        (["corpus", "out.jsonl", "--rate", "8000"], "error: --rate: a folder as OUT wanted with it, found a manifest"),
        (["tfds:spoken_digit", "out.jsonl"], "error: tfds:spoken_digit: a corpus as it was downloaded wanted to make"),
    ],
)
def test_a_source_that_is_none_is_one_line(tmp_path, run_here, arguments, message):
    (tmp_path / "features.jsonl").write_text('{"features_filepath": "a.npy", "text": "a"}\n')
    data = "data: {train: [{kind: manifest, path: features.jsonl}], valid: [{kind: manifest, path: features.jsonl}]}"
    (tmp_path / "features.yaml").write_text(f"features: {{input: features, coefficients: 3}}\n{data}\n")
    done = run_here(tmp_path, "prepare.py", arguments[0], tmp_path / arguments[1], *arguments[2:])
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
