"""Which trials of a search are not worth going on with."""

import statistics
from collections.abc import Sequence

FEWEST_TRIALS = 3
"""With fewer to compare with, none is stopped."""

GRACE = 0.2
"""Share of a trial's epochs within which it is not stopped."""


def is_hopeless(own: Sequence[float], others: Sequence[Sequence[float]], epochs: int) -> bool:
    """The median stopping rule (Golovin et al. 2017, "Google Vizier").

    A trial is stopped if its best error so far is above the median of what the others' errors were on average up to the
    same epoch. Others that were stopped count as far as they went.

    Args:
        own: the trial's error after each epoch so far.
        others: those of earlier trials.
        epochs: that a trial has.
    """
    count = len(own)
    averages = [statistics.fmean(other[:count]) for other in others if len(other) >= count]
    if count < max(1, GRACE * epochs) or count >= epochs or len(averages) < FEWEST_TRIALS:
        return False
    return min(own) > statistics.median(averages)
