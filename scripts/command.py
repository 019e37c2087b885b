"""What every command line here shares: the path, the quiet, and how errors end."""

import argparse
import contextlib
import importlib.util
import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that the commands run without the package being installed
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notices on which processors it found


def parser(description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with an example."""
    return argparse.ArgumentParser(
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def progress(items: list, unit: str) -> Iterable:
    """The items one by one, with a bar on a terminal."""
    import tqdm

    return tqdm.tqdm(items, unit=unit, leave=False, disable=not sys.stderr.isatty())


def progress_bar(total: int, unit: str):
    """A bar of so many steps, made by its `update`, on a terminal; a context manager."""
    import tqdm

    return tqdm.tqdm(total=total, unit=unit, leave=False, disable=total < 2 or not sys.stderr.isatty())


@contextlib.contextmanager
def without_notices() -> Iterator[None]:
    """Drops what is written to stderr meanwhile, also by C++; nothing is dropped with TF_CPP_MIN_LOG_LEVEL below 3."""
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] != "3":
        yield
        return
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def check_backend(*able: str) -> None:
    """To be called before Keras is imported.

    Args:
        able: of Keras's back ends, those that what follows runs on; without any, those that this pipeline does.

    Raises:
        InputError: KERAS_BACKEND in the environment names another, or one that is not installed.
    """
    from pipeline.errors import InputError

    backend, able = os.environ.get("KERAS_BACKEND") or "tensorflow", able or ("tensorflow", "jax")
    os.environ["KERAS_BACKEND"] = backend  # and not what a keras.json says
    if backend not in able:
        raise InputError(f"KERAS_BACKEND = {backend}: {' or '.join(able)} wanted")
    if backend == "jax" and not importlib.util.find_spec("jax"):
        raise InputError("KERAS_BACKEND = jax: JAX wanted, it is not installed; pip install -r requirements-jax.txt")


def load_tensorflow(keras: bool = True) -> None:
    """Imports TensorFlow without its notices, some of which no setting stops; TF_CPP_MIN_LOG_LEVEL=0 shows them.

    Without `keras` that takes two thirds of the time; `tf.keras` is not to be had then, Keras itself still is.

    Raises:
        PipelineError: it is not installed, or, with `keras`, as `check_backend` does.
    """
    from pipeline.errors import PipelineError

    if keras:
        check_backend()
    else:
        os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # which TensorFlow looks for only when it is used
    with without_notices():
        try:
            import tensorflow as tf
        except ImportError as error:
            raise PipelineError(f"TensorFlow wanted ({error}); pip install -r requirements.txt") from error
        tf.config.list_logical_devices()
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3":
        logging.getLogger("absl").setLevel(logging.ERROR)  # TensorFlow's and TFDS's of each file that they write
        logging.getLogger("jax").setLevel(logging.WARNING)  # not of processors that it did not find
        warnings.filterwarnings("ignore", module="pydub")  # which TFDS imports, and which looks for ffmpeg


TRAINING = {"TF_NUM_INTRAOP_THREADS": "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
"""What the environment holds where a training is quickest. A batch is computed in parts, one to a core
(models/parts.py), and threads within a product would only get in the way; and TensorFlow leaves oneDNN's products off
on processors without AVX-512, where they are quicker too."""


def load_tensorflow_to_train() -> None:
    """`load_tensorflow`, with what TRAINING says unless the environment says otherwise."""
    for name, value in TRAINING.items():
        os.environ.setdefault(name, value)
    load_tensorflow()


def line(script: str, *without: str) -> str:
    """The command line that this process was started by, to be shown to others.

    Args:
        script: the file of the script.
        without: options without a value that are left out.
    """
    arguments = [argument for argument in sys.argv[1:] if argument not in without]
    return shlex.join(["python", f"scripts/{Path(script).name}", *arguments])


def run(main: Callable[[argparse.Namespace], None], arguments: argparse.ArgumentParser) -> None:
    """Parse, call `main`, and exit: 0, or one line on stderr and 2 (bad input), 1 (failure) or 130 (Ctrl-C)."""
    from pipeline.errors import PipelineError

    for stream in (sys.stdout, sys.stderr):  # a file's name need not be text
        stream.reconfigure(errors="backslashreplace")
    try:
        works = any(isinstance(action, argparse._SubParsersAction) for action in arguments._actions)
        # Intermixed, so that key=value may follow an option; argparse cannot do that where there are subcommands.
        main(arguments.parse_args() if works else arguments.parse_intermixed_args())
        sys.stdout.flush()
    except PipelineError as error:
        _end(str(error), error.exit_code)
    except BrokenPipeError:  # the reader, `head` for example, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MemoryError as error:
        _end(f"out of memory: {error}", 1)
    except OSError as error:
        _end(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except KeyboardInterrupt:
        _end("interrupted", 128 + signal.SIGINT)


def _end(message: str, code: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
