import concurrent.futures
import logging
import socket
import threading

import numpy as np
import pytest
import requests

from pipeline.config import TfdsSource
from pipeline.data import tfds_source
from pipeline.data.tfds_source import read_tfds
from pipeline.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")
downloader = pytest.importorskip("tensorflow_datasets.core.download.downloader")
get_dl_fname = pytest.importorskip("tensorflow_datasets.core.download.resource").get_dl_fname

RATE = 8000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SETS = {
    "spoken_digit": {"audio", "label", "audio/filename"},
    "speech_commands": {"audio", "label"},
    "librispeech": {"speech", "text", "speaker_id"},
    "ljspeech": {"speech", "text_normalized"},
    "common_voice/en": {"voice", "sentence", "client_id"},
}
"""And the features that docs/data.md names."""


def spoken_digit(**options):
    values = {"kind": "tfds", "name": "spoken_digit", "label_texts": DIGITS, "speaker": "audio/filename"}
    return TfdsSource(**{**values, "speaker_pattern": r"^\d_([a-z]+)_", **options})


@pytest.fixture(scope="session")
def digits(real_data, tmp_path_factory):
    """The settings of a set that is prepared already."""
    pytest.importorskip("tensorflow_datasets")
    prepared = {"data_dir": str(tmp_path_factory.mktemp("tfds")), "manual_dir": "spoken_digit"}
    read_tfds(spoken_digit(**prepared, split="train[:1]"), real_data, RATE)
    return prepared


def test_spoken_digits_come_from_the_archive_that_lies_there(digits, real_data):
    utterances = read_tfds(spoken_digit(**digits), real_data, RATE)
    assert len(utterances) == 2500
    assert {u.speaker for u in utterances} == {"george", "jackson", "nicolas", "theo", "yweweler"}
    assert {u.transcript for u in utterances} == set(DIGITS)
    for utterance in utterances[:20]:
        audio = utterance.load()
        assert len(audio) == utterance.samples and 0.001 < np.abs(audio).max() <= 1


def test_spoken_digits_come_at_another_rate(digits, real_data):
    one, other = (read_tfds(spoken_digit(**digits, split="train[:1]"), real_data, r)[0] for r in (RATE, 16000))
    assert other.samples == 2 * one.samples == len(other.load())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speaker": "speaker_id"}, "no feature 'speaker_id'; there are"),
        ({"speaker_pattern": "^(nobody)"}, r"speaker_pattern '\^\(nobody\)' finds no speaker in"),
        ({"split": "nowhere"}, r"spoken_digit \(nowhere\)"),
        ({"speaker": "audio"}, "speaker = audio: a feature of one text or number wanted, found Audio"),
        ({"text": "audio"}, "text = audio: a feature of one text wanted, found Audio"),
        ({"text": "label"}, "text = label: a feature of one text wanted, found ClassLabel"),
        ({"label": "audio/filename"}, "label = audio/filename: a feature of one whole number wanted, found Text"),
        ({"audio": "label"}, "audio = label: a feature of samples wanted, found ClassLabel"),
        ({"sample_rate": 16000}, "sample_rate = 8000 wanted, as the set has it, got 16000"),
    ],
)
def test_what_the_set_does_not_have_is_named(digits, real_data, options, message):
    with pytest.raises(InputError, match=message):
        read_tfds(spoken_digit(**{**digits, "split": "train[:1]", **options}), real_data, RATE)


def test_a_missing_folder_with_the_archive_is_named(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(InputError, match=r"nowhere: the folder with the archive of spoken_digit wanted"):
        read_tfds(spoken_digit(manual_dir="nowhere", data_dir=str(tmp_path)), tmp_path, RATE)


@pytest.mark.parametrize("name", SETS)
def test_sets_have_the_features_that_the_docs_name(name, tmp_path):
    assert SETS[name] <= set(tfds.builder(name, data_dir=str(tmp_path)).info.features)


@pytest.fixture
def no_network(monkeypatch):
    def unreachable(*_, **__):
        raise OSError(101, "Network is unreachable")

    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setattr(socket, "create_connection", unreachable)


def test_without_network_and_archive_it_is_told_at_once(tmp_path, no_network):
    source = TfdsSource(kind="tfds", name="librispeech", data_dir=str(tmp_path))
    with pytest.raises(InputError, match=r"openslr\.org cannot be reached \(Network .*dev-clean\.tar\.gz.*manual_dir"):
        read_tfds(source, tmp_path, RATE)


@pytest.mark.parametrize(("lies", "told"), [("v1.0.9.tar.gz", r"v1\.0\.9\.tar\.gz$"), (None, "nothing$")])
def test_without_network_another_file_than_the_archive_is_told_at_once(tmp_path, no_network, lies, told):
    (tmp_path / "mine").mkdir()
    if lies:
        (tmp_path / "mine" / lies).write_text("")
    source = spoken_digit(manual_dir="mine", data_dir=str(tmp_path / "sets"))
    wanted = r"network free-spoken-digit-dataset-1\.0\.9\.tar\.gz wanted in manual_dir: .*mine holds "
    with pytest.raises(InputError, match=wanted + told):
        read_tfds(source, tmp_path, RATE)


def test_a_set_whose_archives_only_the_network_has_says_so(tmp_path, no_network):
    source = TfdsSource(kind="tfds", name="common_voice/en", data_dir=str(tmp_path))
    with pytest.raises(InputError, match=r"cannot be reached .*; TFDS takes its archives from there only"):
        read_tfds(source, tmp_path, RATE)


@pytest.mark.parametrize("place", ["mine", "sets/downloads/librispeech"])
def test_without_network_the_missing_part_of_a_sets_archives_is_asked_for_once(
    tmp_path, no_network, monkeypatch, place
):
    def tries(*_, **__):
        raise requests.ConnectionError(f"{downloader.MAX_RETRIES} retries")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", tries)
    source = TfdsSource(kind="tfds", name="librispeech", data_dir=str(tmp_path / "sets"), manual_dir="mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    url, known = next(iter(tfds.builder("librispeech", data_dir=source.data_dir).url_infos.items()))
    (tmp_path / place / (known.filename if place == "mine" else get_dl_fname(url, known.checksum))).write_text("")
    with pytest.raises(
        InputError, match=r"cannot be reached .*train-clean-100\.tar\.gz.* wanted in manual_dir"
    ) as error:
        read_tfds(source, tmp_path, RATE)
    assert str(error.value.__cause__) == "0 retries" and downloader.MAX_RETRIES > 0


class TwoTones(tfds.core.GeneratorBasedBuilder):
    """A set that is ready once `is_waited_for` is set."""

    VERSION = tfds.core.Version("1.0.0")
    is_waited_for, made = threading.Event(), []

    def _info(self):
        features = {"audio": tfds.features.Audio(sample_rate=RATE), "text": tfds.features.Text()}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        self.made.append(1)
        assert self.is_waited_for.wait(30)
        for number, text in enumerate(["low", "high"]):
            yield text, {"audio": np.full(RATE, 100 + number, np.int64), "text": text}


def test_of_two_that_want_a_set_at_once_one_prepares_it_and_the_other_waits(tmp_path, caplog):
    source = TfdsSource(kind="tfds", name="two_tones", text="text", data_dir=str(tmp_path))
    told = logging.Handler()
    told.emit = lambda record: TwoTones.is_waited_for.set() if "waiting" in record.getMessage() else None
    logging.getLogger(tfds_source.__name__).addHandler(told)
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda _: read_tfds(source, tmp_path, RATE), range(2)))
    finally:
        logging.getLogger(tfds_source.__name__).removeHandler(told)
    assert [[utterance.transcript for utterance in utterances] for utterances in found] == [["high", "low"]] * 2
    assert TwoTones.made == [1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("spoken_digit/xx", "BuilderConfig xx not found with version 1.0.9$"),
        ("spoken_digit:9.9.9", r"cannot be loaded at version 9.9.9, only: 1.0.9\.$"),
    ],
)
def test_a_configuration_that_a_set_has_not_is_told_in_a_whole_sentence(tmp_path, name, told):
    with pytest.raises(InputError, match=told):
        read_tfds(TfdsSource(kind="tfds", name=name, data_dir=str(tmp_path)), tmp_path, RATE)


def test_a_set_that_does_not_exist_is_named_with_its_nearest(tmp_path):
    with pytest.raises(InputError, match="TFDS librispech: no such set; the nearest: librispeech"):
        read_tfds(TfdsSource(kind="tfds", name="librispech", data_dir=str(tmp_path)), tmp_path, RATE)


def test_texts_and_lengths_are_looked_up_once(digits, real_data, tmp_path, monkeypatch):
    source = spoken_digit(**{**digits, "split": "train[:20]"})
    first = read_tfds(source, real_data, RATE, index_folder=tmp_path)
    monkeypatch.setattr(tfds_source, "index_of", None)
    again = read_tfds(source, real_data, RATE, index_folder=tmp_path)
    assert [(u.transcript, u.speaker, u.samples) for u in first] == [
        (u.transcript, u.speaker, u.samples) for u in again
    ]
    with pytest.raises(TypeError):
        read_tfds(spoken_digit(**{**digits, "split": "train[:21]"}), real_data, RATE, index_folder=tmp_path)


def test_a_part_of_a_split_is_its_part(digits, real_data):
    whole, part = (
        read_tfds(spoken_digit(**{**digits, "split": split}), real_data, RATE) for split in ("train[:10]", "train[2:5]")
    )
    for one, other in zip(whole[2:5], part, strict=True):
        np.testing.assert_array_equal(one.load(), other.load())


@pytest.mark.parametrize("options", [{}, {"name": "a", "path": "b"}])
def test_a_set_has_a_name_or_a_path(options):
    with pytest.raises(ValueError, match="either name or path wanted"):
        TfdsSource(kind="tfds", **options)
