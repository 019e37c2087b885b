"""Measures an exported model's word and character error rates."""

import json
from dataclasses import asdict
from pathlib import Path

import added_noise
import command
import decoders
import skipping

EXAMPLES = 6
"""Of errors, in a card."""


def main(arguments) -> None:
    from pipeline.errors import PipelineError

    try:
        from pipeline.data.utterances import Skipped
        from pipeline.evaluation.calibration import expected_calibration_error
        from pipeline.evaluation.evaluate import evaluate
        from pipeline.evaluation.plots import plot_reliability
    except ImportError as error:  # with requirements-litert.txt alone
        raise PipelineError(f"{error.name} wanted, to measure with; pip install -r requirements.txt") from error
    recognizer = decoders.make_recognizer(arguments)
    skipped = Skipped()
    with skipped.listed_in(Path(arguments.out) / "skipped.jsonl" if arguments.out else None):
        utterances, skips = _utterances(arguments, recognizer.about, skipped)
        utterances = added_noise.in_noise(utterances, arguments, recognizer.about)
        result = evaluate(
            recognizer.transcribe,
            skips.watched(command.progress(utterances, "utterance")),
            recognizer.about.lengths_per_second,
            recognizer.normalize,
            skips.skipped,
        )
    skips.tell()
    values = {
        "wer": round(result.rates.wer, 4),
        "cer": round(result.rates.cer, 4),
        "utterances": result.rates.utterances,
        "skipped": len(skipped),
        "audio_seconds": round(result.audio_seconds, 2),
        "real_time_factor": round(result.real_time_factor, 5),
    }
    if arguments.out:
        folder = Path(arguments.out)
        folder.mkdir(parents=True, exist_ok=True)
        judged = {"words": result.words, "utterances": result.utterances}
        errors = {
            name: round(expected_calibration_error(each.confidences, each.right), 4) for name, each in judged.items()
        }
        metrics = {**values, "expected_calibration_error": errors}
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        plot_reliability(folder / "reliability.png", {name: {"confidence": each} for name, each in judged.items()})
        lines = [json.dumps(asdict(item), ensure_ascii=False) + "\n" for item in result.heard]
        (folder / "transcripts.jsonl").write_text("".join(lines), encoding="utf-8")
        skipped.save(folder / "skipped.jsonl")
    if arguments.card:
        _add_to_card(arguments.model, values, result)
    if arguments.json:
        print(json.dumps(values))
    else:
        print(_told(values))


def _told(values: dict) -> str:
    skipped = f"{values['skipped']} skipped, " if values["skipped"] else ""
    return (
        f"WER {values['wer']:.1%}, CER {values['cer']:.1%} on {values['utterances']} utterances "
        f"({skipped}{values['audio_seconds'] / 60:.1f} minutes), real-time factor {values['real_time_factor']:.4f}"
    )


def _add_to_card(model: str, values: dict, result) -> None:
    from pipeline.evaluation.breakdown import comparison
    from pipeline.export.measured import add_to_card

    wrong = [item for item in result.heard if item.reference != item.hypothesis]
    shown = wrong[:: -(-len(wrong) // EXAMPLES) or 1]
    table = comparison([item.reference for item in shown], [item.hypothesis for item in shown])
    told = f"{_told(values)}. Right as a whole: {len(result.heard) - len(wrong)} utterances."
    if shown:
        told += f" Of the others, for example:\n\n{table}"
    add_to_card(model, command.line(__file__, "--card", "--json"), told)


def _utterances(arguments, about, skipped) -> tuple[list, skipping.Skipping]:
    """What is told beside them are the lines that are none."""
    from pipeline.config import load_config
    from pipeline.data import sources
    from pipeline.data.manifest import read_manifest
    from pipeline.errors import InputError

    if Path(arguments.manifest).suffix not in (".yaml", ".yml"):
        if arguments.overrides:
            raise InputError(
                f"{arguments.overrides[0]}: settings can be overridden for a configuration, not a manifest"
            )
        skips = skipping.Skipping(skipping.most_skipped(arguments), arguments.manifest, skipped)
        found = read_manifest(arguments.manifest, about.sample_rate, about.features, skips.skipped)
        return skips.start(found), skips
    settings = load_config(
        arguments.manifest, [*arguments.overrides, *_input_of(about), *skipping.overrides(arguments)]
    )
    if not settings.data.test:
        raise InputError(f"{arguments.manifest}: data.test with sources wanted, found none")
    skips = skipping.Skipping(skipping.most_skipped(arguments, settings), f"{arguments.manifest}: data.test", skipped)
    return skips.start(sources.read(settings.data.test, settings, "test", skips.skipped)(0)), skips


def _input_of(about) -> list[str]:
    """Settings for what the model takes."""
    if about.features is None:
        return ["features.input=audio", f"features.sample_rate={about.sample_rate}"]
    width, hop_ms = about.features.coefficients, about.features.hop_ms
    return ["features.input=features", f"features.coefficients={width}", f"features.hop_ms={hop_ms!r}"]


arguments = command.parser(__doc__, "python scripts/evaluate.py --model exported/quickstart test.jsonl --out report")
decoders.add_options(arguments)
arguments.add_argument(
    "manifest",
    metavar="MANIFEST",
    help="JSON lines with text, and audio_filepath or features_filepath; or a configuration: its data.test",
)
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the configuration's")
arguments.add_argument("--out", metavar="FOLDER", help="writes metrics, transcripts and a reliability diagram there")
added_noise.add_options(arguments)
skipping.add_options(arguments)
arguments.add_argument("--card", action="store_true", help="adds what was found to the export's card.md")
arguments.add_argument("--json", action="store_true", help="one JSON object on stdout, nothing else there")

if __name__ == "__main__":
    command.run(main, arguments)
