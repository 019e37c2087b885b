"""What commands share that go on without what cannot be used: how much of it there may be, and how it is told."""

import argparse
import sys
from collections.abc import Iterable, Iterator


def add_options(arguments: argparse.ArgumentParser) -> None:
    arguments.add_argument(
        "--most-skipped",
        type=float,
        metavar="SHARE",
        help="of the utterances, that may be unusable (default: a configuration's data.most_skipped, or 0.2)",
    )


def most_skipped(arguments: argparse.Namespace, settings=None) -> float:
    """The share that is allowed. Raises: InputError: the option is none."""
    from pipeline.config import Data
    from pipeline.errors import InputError

    asked = arguments.most_skipped
    if asked is None:
        return Data.model_fields["most_skipped"].default if settings is None else settings.data.most_skipped
    if not 0 <= asked <= 1:
        raise InputError(f"--most-skipped: a share from 0 to 1 wanted, found {asked:g}")
    return asked


def overrides(arguments: argparse.Namespace) -> list[str]:
    """The option as a setting, for what a configuration's sources leave out themselves."""
    return [] if arguments.most_skipped is None else [f"data.most_skipped={most_skipped(arguments)}"]


class Skipping:
    """What is left out of some utterances.

    Args:
        most: the share of them that may be.
        what: what messages call them.
        within: where it is written down as well.

    Attributes:
        skipped: bad lines, before the utterances are told; then what cannot be read.
    """

    def __init__(self, most: float, what: str, within=None):
        from pipeline.data.utterances import Skipped

        self.skipped = Skipped(within)
        self._most, self._what, self._of = most, what, 0

    def start(self, utterances: list) -> list:
        """The utterances that there are beside the bad lines. Raises: InputError: of these there are too many."""
        self._of = len(utterances) + len(self.skipped)
        self.check()
        return utterances

    def watched(self, utterances: Iterable) -> Iterator:
        """One after another. Raises: InputError: after one of them too many are skipped."""
        for utterance in utterances:
            yield utterance
            self.check()

    def leave_out(self, utterance, error: Exception) -> None:
        """Writes down one that cannot be read. Raises: InputError: too many are skipped."""
        from pipeline.data.utterances import reason_of

        self.skipped.add(utterance.name, reason_of(utterance, error))
        self.check()

    def check(self) -> None:
        """Raises: InputError: too many are skipped."""
        from pipeline.data.utterances import too_many_skipped

        if len(self.skipped):
            too_many_skipped(self.skipped, self._of, self._most, self._what, setting="--most-skipped")

    def tell(self) -> None:
        """On stderr, what was skipped."""
        if len(self.skipped):
            print(self.skipped.summary(self._of), file=sys.stderr)
