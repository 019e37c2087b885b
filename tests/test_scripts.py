import json
from types import SimpleNamespace

import command
import numpy as np
import pytest
import soundfile
import tiny
import transcribe
from commands import ROOT, run

from pipeline.decoding.transcript import Transcript, Word
from pipeline.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a model was trained and exported by the command lines."""
    folder = tmp_path_factory.mktemp("scripts")
    config = tiny.write_config(folder, training={"epochs": 2})
    trained = run(folder, "train.py", config, "--json")
    assert trained.returncode == 0, trained.stderr
    assert [json.loads(line)["epoch"] for line in trained.stdout.splitlines()] == [1, 2]
    exported = run(folder, "export.py", "runs/tiny", "exported/tiny")
    assert exported.returncode == 0, exported.stderr
    return folder


def test_a_training_tells_what_it_skipped_at_its_start_and_at_its_end(tmp_path, run_here):
    config = tiny.write_config(tmp_path, training={"epochs": 1})
    for split in ("train", "valid"):
        with (tmp_path / f"{split}.jsonl").open("a") as manifest:
            manifest.write("[]\n")
    (tmp_path / "train-3.wav").write_bytes(b"RIFF")
    missing = {"audio_filepath": "none.wav", "text": "a", "duration": 1.0}
    with (tmp_path / "train.jsonl").open("a") as manifest:
        manifest.write(json.dumps(missing) + "\n")
    done = run_here(tmp_path, "train.py", config, "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["epoch"] for line in done.stdout.splitlines()] == [1]
    told = [line for line in done.stderr.splitlines() if " utterances, " in line and line.startswith("skipped ")]
    assert told[0].startswith("skipped 1 of 26 training utterances, 1 of 7 validation utterances: ")
    assert told[-1] == (
        "skipped 3 of 26 training utterances, 1 of 7 validation utterances, listed in runs/tiny/skipped.jsonl"
    )
    assert len((tmp_path / "runs" / "tiny" / "skipped.jsonl").read_text().splitlines()) == 4


def test_files_are_transcribed_and_a_bad_one_is_named(folder):
    soundfile.write(folder / "stereo.wav", np.zeros((44100, 2)), 44100)
    done = run(folder, "transcribe.py", "--model", "exported/tiny", "nothing.wav", "stereo.wav", "test-0.wav", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["audio"] for line in found] == ["stereo.wav", "test-0.wav"]
    assert list(found[0]) == ["audio", "duration", "text", "confidence", "words"]
    assert found[0]["duration"] == 1.0
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: 1 of 3 files: nothing.wav: no such file")


def test_exports_are_tensorflows_whatever_trains(folder):
    exported = run(folder, "export.py", "runs/tiny", "exported/again", KERAS_BACKEND="jax")
    assert (exported.returncode, exported.stderr) == (0, "")


@pytest.mark.parametrize(("backend", "wanted"), [("torch", "tensorflow or jax wanted"), ("jax", "JAX wanted, it is")])
def test_a_back_end_that_training_has_not_is_told(monkeypatch, backend, wanted):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"KERAS_BACKEND = {backend}: {wanted}"):
        command.load_tensorflow()


def test_one_file_is_its_text_and_nothing_else(folder):
    done = run(folder, "transcribe.py", "--model", "exported/tiny", "test-0.wav")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_folders_and_patterns_are_gone_through(folder, run_here):
    (folder / "several" / "below").mkdir(parents=True, exist_ok=True)
    for number, place in enumerate(("several", "several/below")):
        (folder / place / f"{number}.wav").write_bytes((folder / f"test-{number}.wav").read_bytes())
    (folder / "several" / "notes.txt").write_text("no audio")
    by_folder = run_here(folder, "transcribe.py", "--model", "exported/tiny", "several")
    assert [line.split(":")[0] for line in by_folder.stdout.splitlines()] == ["several/0.wav", "several/below/1.wav"]
    by_pattern = run_here(folder, "transcribe.py", "--model", "exported/tiny", "several/**/*.wav")
    assert by_pattern.stdout == by_folder.stdout


def test_a_long_file_is_heard_in_pieces(folder, run_here):
    parts = [soundfile.read(folder / f"test-{number % 4}.wav")[0] for number in range(20)]
    pause = 1e-3 * np.random.default_rng(0).normal(size=3 * tiny.RATE)
    audio = np.concatenate([samples for part in parts for samples in (part, pause)])
    soundfile.write(folder / "long.wav", audio, tiny.RATE)
    done = run_here(folder, "transcribe.py", "--model", "exported/tiny", "long.wav", "test-0.wav", "--json")
    long, short = [json.loads(line) for line in done.stdout.splitlines()]
    assert (long["audio"], short["audio"]) == ("long.wav", "test-0.wav")
    assert long["duration"] == round(len(audio) / tiny.RATE, 3) > 60
    starts = [word["start"] for word in long["words"]]
    assert starts == sorted(starts) and starts[-1] > 50
    streamed = run_here(folder, "transcribe.py", "--model", "exported/tiny", "long.wav", "--stream")
    assert " ".join(streamed.stdout.split()) == long["text"]


def test_a_short_file_is_heard_utterance_by_utterance_if_a_pause_is_given(folder, run_here):
    part = soundfile.read(folder / "test-0.wav")[0]
    pause = 1e-3 * np.random.default_rng(0).normal(size=2 * tiny.RATE)
    soundfile.write(folder / "two.wav", np.concatenate([part, pause, part, pause]), tiny.RATE)
    options = ["two.wav", "--pause", "0.7", "--json"]
    done = run_here(folder, "transcribe.py", "--model", "exported/tiny", *options)
    streamed = run_here(folder, "transcribe.py", "--model", "exported/tiny", *options, "--stream")
    utterances = [json.loads(line) for line in streamed.stdout.splitlines()]
    assert len(utterances) == 2
    assert json.loads(done.stdout)["words"] == [word for each in utterances for word in each["words"]]


def test_subtitles_are_printed_or_written(folder, run_here):
    printed = run_here(folder, "transcribe.py", "--model", "exported/tiny", "test-0.wav", "--vtt")
    assert printed.stdout.startswith("WEBVTT")
    done = run(
        folder, "transcribe.py", "--model", "exported/tiny", "test-0.wav", "test-1.wav", "--srt", "--out", "subs"
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert sorted(file.name for file in (folder / "subs").iterdir()) == ["test-0.srt", "test-1.srt"]


@pytest.mark.parametrize(("words", "lines"), [((), 0), ((Word("a", 0.0, 1.0, 1.0),), 3)])
def test_subtitles_of_silence_are_nothing(capsys, words, lines):
    options = SimpleNamespace(json=False, srt=True, vtt=False, out=None)
    transcribe.Printer(options, several=False).print("a.wav", Transcript("", 1.0, words), 1.0)
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_the_subtitles_of_a_stream_are_those_of_the_file(folder, run_here):
    parts = [soundfile.read(folder / f"test-{number % 4}.wav")[0] for number in range(12)]
    pause = 1e-3 * np.random.default_rng(0).normal(size=2 * tiny.RATE)
    soundfile.write(folder / "rows.wav", np.concatenate([s for part in parts for s in (part, pause)]), tiny.RATE)
    whole, streamed = (
        run_here(folder, "transcribe.py", "--model", "exported/tiny", "rows.wav", "--srt", *more)
        for more in ([], ["--stream"])
    )
    assert streamed.stdout == whole.stdout
    numbers = [int(line) for line in streamed.stdout.splitlines() if line.isdigit()]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 3


def test_a_grammar_answers_with_what_it_can_say(folder, run_here):
    (folder / "letters.jsgf").write_text("#JSGF V1.0;\ngrammar letters;\npublic <letters> = abc | ca;\n")
    done = run_here(
        folder, "transcribe.py", "--model", "exported/tiny", "test-0.wav", "--grammar", "letters.jsgf", "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["text"] in ("", "abc", "ca") and found["nearest"] in ("abc", "ca")


def test_a_beam_search_with_hotwords_tells_alternatives(folder, run_here):
    options = ["--beam", "8", "--hotword", "ABC", "--nbest", "3", "--json"]
    done = run_here(folder, "transcribe.py", "--model", "exported/tiny", "test-0.wav", *options)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 1 <= len(found["alternatives"]) <= 3
    assert found["alternatives"][0][0] == found["text"]


@pytest.mark.parametrize("speech", ["test.jsonl", "tiny.yaml"])
def test_a_manifest_and_a_configuration_are_evaluated_alike(folder, run_here, speech):
    done = run_here(folder, "evaluate.py", "--model", "exported/tiny", speech, "--json", "--out", "report")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == ["wer", "cer", "utterances", "skipped", "audio_seconds", "real_time_factor"]
    assert (values["utterances"], values["skipped"]) == (4, 0)
    metrics = json.loads((folder / "report" / "metrics.json").read_text())
    assert set(metrics.pop("expected_calibration_error")) == {"words", "utterances"}
    assert metrics == values
    assert (folder / "report" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder / "report" / "transcripts.jsonl").read_text().splitlines()) == 4


@pytest.fixture
def spoilt(folder):
    """A manifest of eight lines, one of which is none, and one names a file that is missing."""
    lines = (folder / "test.jsonl").read_text().splitlines()
    missing = json.dumps({"audio_filepath": "none.wav", "text": "a"})
    (folder / "spoilt.jsonl").write_text("\n".join([*lines[:1], "{", missing, *lines[1:], *lines[:2]]) + "\n")
    (folder / "spoilt.yaml").write_text(
        (folder / "tiny.yaml").read_text().replace("path: test.jsonl", "path: spoilt.jsonl")
    )
    return folder / "spoilt.jsonl"


@pytest.mark.parametrize("speech", ["spoilt.jsonl", "spoilt.yaml"])
def test_a_bad_line_and_a_missing_file_are_skipped_counted_and_named(folder, run_here, spoilt, speech):
    allowed = ["--most-skipped", "0.25"] if speech.endswith(".jsonl") else ["data.most_skipped=0.25"]
    done = run_here(folder, "evaluate.py", "--model", "exported/tiny", speech, *allowed, "--out", "spoilt", "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert (values["utterances"], values["skipped"]) == (6, 2)
    assert "skipped 2 of 8 utterances: " in done.stderr and "spoilt.jsonl:2 (a JSON object wanted" in done.stderr
    skipped = [json.loads(line)["reason"] for line in (folder / "spoilt" / "skipped.jsonl").read_text().splitlines()]
    assert len(skipped) == 2 and skipped[1] == "no such file"


def test_more_that_cannot_be_used_than_allowed_ends_it(folder, run_here, spoilt):
    for most, found in (("0.2", "skipped 2 of 8"), ("0.1", "skipped 1 of 8"), ("2", "a share from 0 to 1 wanted")):
        done = run_here(folder, "evaluate.py", "--model", "exported/tiny", "spoilt.jsonl", "--most-skipped", most)
        assert done.returncode == 2 and found in done.stderr.splitlines()[-1] and not done.stdout
    options = ["--most-skipped", "0.2", "--out", "too-many"]
    done = run_here(folder, "evaluate.py", "--model", "exported/tiny", "spoilt.jsonl", *options)
    assert done.returncode == 2 and "all that were skipped are in too-many/skipped.jsonl" in done.stderr
    assert len((folder / "too-many" / "skipped.jsonl").read_text().splitlines()) == 2


def test_what_is_measured_goes_into_the_card(folder):
    done = run(folder, "evaluate.py", "--model", "exported/tiny", "test.jsonl", "--snr", "-30", "--card")
    assert done.returncode == 0, done.stderr
    told = (folder / "exported" / "tiny" / "card.md").read_text()
    assert "### `python scripts/evaluate.py --model exported/tiny test.jsonl --snr -30`" in told
    assert done.stdout.strip() in told and "| reference | hypothesis |" in told


def test_a_split_is_saved_with_its_manifest(folder, run_here):
    done = run_here(folder, "save_split.py", "tiny.yaml", "test", "speech", "--first", "2")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (folder / "speech" / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    assert all((folder / "speech" / line["audio_filepath"]).exists() for line in lines)


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("train.py", ["none.yaml"], "none.yaml: a configuration file wanted"),
        ("train.py", ["tiny.yaml", "model.cel=gru"], "did you mean cell?"),
        ("train.py", ["tiny.yaml", "model.units=5"], "model.units was 12, is 5"),
        ("export.py", ["nowhere", "out"], "nowhere: the folder of a run wanted"),
        ("transcribe.py", ["--model", "nowhere", "a.wav"], "nowhere: an exported model's folder wanted"),
        ("transcribe.py", ["--model", "exported/tiny"], "AUDIO or --microphone wanted"),
        ("transcribe.py", ["--model", "exported/tiny", "no*.wav"], "no*.wav: audio files wanted"),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "test-1.wav", "--srt"], "--out FOLDER wanted"),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "--srt", "--out", "test.jsonl"], "folder wanted"),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "--nbest", "2"], "--json wanted too"),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "--out", "subs"], "--srt or --vtt wanted too"),
        (
            "transcribe.py",
            ["--model", "exported/tiny", "test-0.wav", "./test-0.wav", "--srt", "--out", "subs"],
            "files of different names wanted, found test-0.wav and ./test-0.wav",
        ),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "--json", "--nbest", "17"], "1 to 16 wanted"),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "--grammar", "tiny.yaml"], "tiny.yaml"),
        ("transcribe.py", ["--model", "exported/tiny", "test-0.wav", "--lm", "none.arpa"], "none.arpa"),
        ("evaluate.py", ["--model", "exported/tiny", "none.jsonl"], "none.jsonl: a manifest wanted"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, run_here, script, arguments, message):
    done = run_here(folder, script, *arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_spoken_text_is_heard_by_a_model_that_ships(tmp_path, run_here):
    text = "can i get a large latte with brown sugar"
    spoken = run_here(tmp_path, "speak.py", text, "order.flac", "--voice", "en-gb")
    assert spoken.returncode == 0 and spoken.stdout.startswith("order.flac: 2.")
    done = run_here(tmp_path, "transcribe.py", "--model", ROOT / "exported" / "commands-lstm", "order.flac")
    assert done.returncode == 0 and done.stdout.strip() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["latte", "order.mp4"], "order.mp4: a file name that ends in .wav, .flac, .ogg wanted, found '.mp4'"),
        (["latte", "nowhere/order.wav"], "nowhere: a folder for order.wav wanted, there is none"),
        (["", "order.wav"], "text '': words to speak wanted, found none"),
        (["latte", "order.wav", "--voice", "en-gd"], "accent 'en-gd': a language code of espeak-ng wanted"),
    ],
)
def test_what_cannot_be_spoken_is_told_and_leaves_nothing(tmp_path, run_here, arguments, message):
    done = run_here(tmp_path, "speak.py", *arguments)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_has_an_example():
    for script in sorted(path.name for path in (ROOT / "scripts").glob("*.py")):
        if script not in ("added_noise.py", "audio_files.py", "command.py", "decoders.py", "skipping.py"):
            done = run(ROOT, script, "--help")
            assert done.returncode == 0 and "example:" in done.stdout, script


def test_learning_is_drawn(folder, run_here):
    assert run_here(folder, "plot_runs.py", "runs/tiny", "--out", "learning.png").returncode == 0
    assert (folder / "learning.png").read_bytes().startswith(b"\x89PNG")
