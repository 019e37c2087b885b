import io
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.feature_files import FeatureFrames, FeaturesError, as_features, frames_announced, load_features


def features(frames=5, coefficients=3, dtype=np.float32):
    return np.random.default_rng(0).normal(size=(frames, coefficients)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "longdouble"])
def test_features_of_any_precision_are_read(tmp_path, dtype):
    np.save(tmp_path / "a.npy", features(dtype=dtype))
    found = load_features(tmp_path / "a.npy", 3)
    assert found.dtype == np.float32 and type(found) is np.ndarray
    np.testing.assert_array_equal(found, features(dtype=dtype).astype(np.float32))
    assert frames_announced(tmp_path / "a.npy", 3) == 5


def test_features_that_lie_column_by_column_are_read(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(features()))
    np.testing.assert_array_equal(load_features(tmp_path / "a.npy", 3), features())


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (np.zeros(3, np.float32), r"float \[frames, 3\] wanted, found float32 \[3\]"),
        (np.zeros((2, 5, 3)), r"float \[frames, 3\] wanted, found float64 \[2, 5, 3\]"),
        (np.float32(7), r"float \[frames, 3\] wanted, found float32 \[\]"),
        (features(coefficients=4), r"float \[frames, 3\] wanted, found float32 \[5, 4\]"),
        (np.zeros((5, 3), np.int16), r"float \[frames, 3\] wanted, found int16 \[5, 3\]"),
        (np.zeros((5, 3), complex), "found complex128"),
        (np.zeros((5, 3), bool), "found bool"),
        (np.full((5, 3), "a"), "found <U1"),
        (np.zeros((0, 3), np.float32), "at least one frame wanted, found none"),
        (np.full((5, 3), np.nan), "finite coefficients wanted, found 15 that are NaN, infinite"),
        (np.full((5, 3), np.inf, np.float16), "finite coefficients wanted, found 15"),
        (np.full((5, 3), 1e30, np.float32), "found 15 that are NaN, infinite or above 1e\\+15"),
        (np.array([[{}, None, 1]]), "a .npy file of numbers wanted, this cannot be read"),
    ],
    ids=range(13),
)
def test_an_array_that_is_no_utterance_is_named(tmp_path, found, message):
    np.save(tmp_path / "a.npy", found, allow_pickle=True)
    with pytest.raises(FeaturesError, match=rf"a\.npy: .*{message}"):
        load_features(tmp_path / "a.npy", 3)


def test_a_file_that_is_no_array_is_named(tmp_path):
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("not an array")
    np.savez(tmp_path / "archive.npz", features())
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(features()))
    (tmp_path / "start.npy").write_bytes(b"\x93NUMPY")
    for name, problem in {
        "missing.npy": "no such file",
        "": "found a folder",
        "a\0.npy": "no such file",
        "empty.npy": "found one of another kind",
        "text.npy": "found one of another kind",
        "pickle.npy": "found one of another kind",
        "archive.npy": "found one of another kind",
        "start.npy": "cannot be read",
    }.items():
        with pytest.raises(FeaturesError, match=problem) as error:
            load_features(tmp_path / name, 3)
        assert "\n" not in str(error.value)
        assert frames_announced(tmp_path / name, 3) == 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, share):
    np.save(tmp_path / "a.npy", features(frames=100))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[: int(share * len(content))])
    with pytest.raises(FeaturesError, match=r"a\.npy: a \.npy file of numbers wanted, this cannot be read"):
        load_features(tmp_path / "a.npy", 3)


def header(text):
    """A .npy file's first bytes, that announce what the text says."""
    text = text.encode("latin-1", "replace")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_a_header_that_announces_more_than_there_is_takes_no_memory(tmp_path):
    content = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 3)}")
    (tmp_path / "a.npy").write_bytes(content + bytes(1200))
    tracemalloc.start()
    with pytest.raises(FeaturesError, match="cannot be read"):
        load_features(tmp_path / "a.npy", 3)
    assert frames_announced(tmp_path / "a.npy", 3) == 0
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


SHAPES = st.one_of(st.lists(st.integers(-3, 10**20), max_size=4).map(tuple).map(str), st.text(max_size=20))
HEADERS = st.builds(
    "{{'descr': {}, 'fortran_order': {}, 'shape': {}}}".format,
    st.sampled_from(["'<f4'", "'<f8'", "'|O'", "'<i2'", "[('a', '<f4')]", "'nonsense'", "None"]) | st.text(max_size=9),
    st.sampled_from(["True", "False", "7"]),
    SHAPES,
)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(lambda start, rest: start + rest, HEADERS.map(header), st.binary(max_size=100)),
        st.builds(lambda start, rest: start + rest, st.text(max_size=80).map(header), st.binary(max_size=100)),
    )
)
@pytest.mark.filterwarnings("ignore")
def test_wild_bytes_are_features_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "wild.npy"
    path.write_bytes(content)
    announced = frames_announced(path, 3)
    try:
        found = load_features(path, 3)
    except FeaturesError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert found.dtype == np.float32 and found.shape == (announced, 3) and np.isfinite(found).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_byte_is_no_crash(tmp_path_factory, place, value):
    buffer = io.BytesIO()
    np.save(buffer, features())
    content = bytearray(buffer.getvalue())
    content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    path.write_bytes(content)
    try:
        assert load_features(path, 3).shape[1] == 3
    except FeaturesError as error:
        assert str(path) in str(error)


def test_features_in_memory_may_have_no_frame():
    assert as_features(np.zeros((0, 3)), 3).shape == (0, 3)
    for wrong in (b"bytes", [[0.0, 0.0, 0.0]], None, np.zeros(3, np.float32)):
        with pytest.raises(FeaturesError, match=r"features: float \[frames, 3\] wanted"):
            as_features(wrong, 3)


@pytest.mark.parametrize(
    ("coefficients", "hop_ms"), [(0, 10.0), (True, 10.0), ("12", 10.0), (12, 0), (12, np.inf), (12, None), (12, True)]
)
def test_frames_that_cannot_be_are_refused(coefficients, hop_ms):
    with pytest.raises(InputError, match="wanted, found"):
        FeatureFrames(coefficients, hop_ms)
