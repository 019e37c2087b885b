"""How sure a model may be: its confidences on the validation data, and what makes probabilities of them."""

import logging
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from pipeline.config import Config
from pipeline.data import sources
from pipeline.data.batches import Batches
from pipeline.data.utterances import Skipped, learnable
from pipeline.decoding.confidence import Calibration
from pipeline.decoding.greedy import greedy
from pipeline.errors import InputError
from pipeline.evaluation.calibration import Judged, expected_calibration_error, fit_calibration, judge
from pipeline.evaluation.plots import plot_reliability
from pipeline.models.acoustic import AcousticModel
from pipeline.text import Units

log = logging.getLogger(__name__)

_NOISE_SHARE, _NOISE_AT_MOST = 0.5, 0.05
"""What is taken for noise is less sure than this share of any validation utterance, and 19 times in 20 not right."""


@dataclass(frozen=True)
class Calibrated:
    """What was measured on the validation data: words and whole utterances, and the scaling fitted to them."""

    calibration: Calibration
    words: Judged
    utterances: Judged

    @property
    def least_confidence(self) -> float:
        """An utterance whose text is less sure is likely noise: of what was heard in the validation data, none is."""
        heard = self.utterances.scaled(self.calibration.utterance).confidences
        return min(_NOISE_AT_MOST, _NOISE_SHARE * float(heard.min(initial=1.0)))

    def errors(self) -> dict[str, float]:
        """Expected calibration errors of words and utterances as they are after scaling, by name."""
        after = {
            "words": self.words.scaled(self.calibration.word),
            "utterances": self.utterances.scaled(self.calibration.utterance),
        }
        return {name: expected_calibration_error(judged.confidences, judged.right) for name, judged in after.items()}

    def plot(self, path: Path) -> None:
        """A reliability diagram."""
        panels = {
            "words": {"as scored": self.words, "calibrated": self.words.scaled(self.calibration.word)},
            "utterances": {
                "as scored": self.utterances,
                "calibrated": self.utterances.scaled(self.calibration.utterance),
            },
        }
        plot_reliability(path, panels)


def calibrate(model: AcousticModel, units: Units, settings: Config) -> Calibrated | None:
    """Decodes the validation data greedily. None, and a warning, if that data cannot be read any more."""
    skipped = Skipped()
    try:
        utterances = sources.read(settings.data.valid, settings, "valid", skipped)(0)
        examples = learnable(utterances, settings, units, skipped)
    except InputError as error:
        log.warning("confidences are not calibrated, for want of the validation data: %s", error)
        return None
    step = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)
    references, transcripts = [], []
    for batch, (inputs, _) in Batches(lambda epoch: examples, settings, skipped).of_epoch(0):
        outputs = step(inputs)
        log_probs = tf.nn.log_softmax(outputs["logits"]).numpy()
        for example, scores, count in zip(batch, log_probs, outputs["frames"].numpy(), strict=True):
            references.append(units.without_others(example.text))
            transcripts.append(greedy(scores[:count], units, settings.features.frame_seconds))
    words, utterances = judge(references, transcripts)
    return Calibrated(fit_calibration(words, utterances), words, utterances)
