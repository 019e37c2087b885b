"""Measures how many keywords an exported model misses at how many false alarms per hour, and stores thresholds."""

import csv
import functools
import json
import sys
from dataclasses import asdict
from pathlib import Path

import added_noise
import command
import skipping


def main(arguments) -> None:
    from pipeline.data.utterances import Skipped
    from pipeline.decoding.keywords import load_thresholds
    from pipeline.errors import InputError
    from pipeline.evaluation.detection import curves, together
    from pipeline.inference import Recognizer
    from pipeline.text import normalize

    target = arguments.target_false_alarms_per_hour
    if target is not None and not 0 <= target < float("inf"):
        raise InputError(f"--target-false-alarms-per-hour: 0 or more wanted, found {target}")
    if target is not None and arguments.together:
        raise InputError("--target-false-alarms-per-hour stores a threshold for each keyword: not with --together")
    command.load_tensorflow()
    recognizer = Recognizer(arguments.model)
    about = recognizer.about
    skipped = Skipped()
    utterances = _utterances(arguments, about, skipped)
    total = len(utterances) + len(skipped)
    to_text = functools.partial(normalize, **about.text)
    keywords = _keywords(arguments, about.units, to_text, [item for item, positive, _ in utterances if positive])
    listened = _listen(recognizer, utterances, keywords, to_text)
    if len(skipped):
        print(skipped.summary(total), file=sys.stderr)
    found = curves(listened, keywords, about.units, about.frame_seconds)
    for curve in found:
        if not curve.positives:
            raise InputError(f"{arguments.positives}: utterances with {curve.keyword!r} wanted, found none")
    if target is not None:
        _store(arguments.model, found, target)
    if arguments.together:
        found = [together(found)]
    stored = None if arguments.together else load_thresholds(arguments.model)
    _report(found, stored, arguments.json, len(skipped))
    if arguments.card:
        _add_to_card(arguments.model, found, stored)
    if arguments.out:
        _save(Path(arguments.out), found)


def _utterances(arguments, about, skipped) -> list[tuple]:
    """Each with whether it is of the positives, and what is left out of its manifest."""
    from pipeline.data.manifest import read_manifest

    found = []
    for number, manifest in enumerate([arguments.positives, *arguments.negatives]):
        skips = skipping.Skipping(skipping.most_skipped(arguments), manifest, skipped)
        items = skips.start(read_manifest(manifest, about.sample_rate, about.features, skips.skipped))
        found += [(item, number == 0, skips) for item in items]
    heard = added_noise.in_noise([item for item, _, _ in found], arguments, about)
    return [(item, positive, skips) for item, (_, positive, skips) in zip(heard, found, strict=True)]


def _keywords(arguments, units, to_text, positives: list) -> list[str]:
    from pipeline.decoding.keyword_search import labels_of
    from pipeline.text import OTHER

    if arguments.keyword:
        keywords = [to_text(keyword) for keyword in arguments.keyword]
    elif units.kind == "words":
        keywords = [symbol for symbol in units.symbols if symbol != OTHER]
    else:
        keywords = sorted({to_text(item.transcript) for item in positives})
    for keyword in keywords:
        labels_of(keyword, units)  # before anything is listened to
    return list(dict.fromkeys(keywords))


def _listen(recognizer, utterances: list[tuple], keywords: list[str], to_text) -> list:
    from pipeline.errors import UnreadableError
    from pipeline.evaluation.detection import Listened, find_peaks, spoken

    units, frame_seconds = recognizer.about.units, recognizer.about.frame_seconds
    listened = []
    for item, positive, skips in command.progress(utterances, "utterance"):
        try:
            audio = item.load()
        except UnreadableError as error:
            skips.leave_out(item, error)
            continue
        peaks = find_peaks(recognizer.log_probs(audio), units, frame_seconds, keywords)
        said = spoken(to_text(item.transcript), keywords, units)
        listened.append(Listened(len(audio) / recognizer.about.lengths_per_second, said, peaks, positive))
    return listened


def _report(found: list, stored: dict[str, float] | None, as_json: bool, skipped: int) -> None:
    from pipeline.evaluation.detection import RATES

    hours = found[0].hours
    short = ", ".join(f"{rate:g}" for rate in RATES if 0 < rate * hours < 1)
    if short:
        one = f"{1 / hours:.2g}"
        print(
            f"{hours:.2f} hours are too short for a rate of {short} per hour: one false alarm is {one}", file=sys.stderr
        )
    if not as_json:
        print(f"{'keyword':24} missed  false alarms/hour  threshold   ({hours:.2f} hours)")
    for curve in found:
        for point, in_use in _points(curve, stored):
            if as_json:
                values = {
                    "keyword": curve.keyword,
                    "miss_rate": round(point.miss_rate, 4),
                    "false_alarms_per_hour": round(point.false_alarms_per_hour, 3),
                    "threshold": point.threshold,
                    "skipped": skipped,
                }
                print(json.dumps(values, ensure_ascii=False))
            else:
                columns = f"{point.miss_rate:6.1%} {point.false_alarms_per_hour:18.2f} {point.threshold:10.4f}"
                print(f"{curve.keyword:24} {columns}{'  in use' if in_use else ''}")


def _points(curve, stored: dict[str, float] | None) -> list[tuple]:
    """Those of a curve that are told, and whether each is the one in use, which none is of keywords together."""
    from pipeline.decoding.keywords import DEFAULT_THRESHOLD
    from pipeline.evaluation.detection import operating_points, point_at

    if stored is None:
        return [(point, False) for point in operating_points(curve)]
    used = point_at(curve, stored.get(curve.keyword, DEFAULT_THRESHOLD))
    return [(point, point == used) for point in dict.fromkeys([*operating_points(curve), used])]


def _add_to_card(model: str, found: list, stored: dict[str, float] | None) -> None:
    from pipeline.export.measured import add_to_card

    rows = ["| keyword | missed | false alarms an hour | threshold |", "|---|---|---|---|"]
    for curve in found:
        for point, in_use in _points(curve, stored):
            used = ", in use" if in_use else ""
            rates = f"{point.miss_rate:.1%} | {point.false_alarms_per_hour:.2f} | {point.threshold:.4f}{used}"
            rows.append(f"| {curve.keyword} | {rates} |")
    table = "\n".join(rows)
    add_to_card(model, command.line(__file__, "--card", "--json"), f"On {found[0].hours:.2f} hours:\n\n{table}")


def _save(folder: Path, found: list) -> None:
    from pipeline.evaluation.detection_plot import plot_detection

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curves.json").write_text(
        json.dumps([asdict(curve) for curve in found], ensure_ascii=False) + "\n", "utf-8"
    )
    with (folder / "curves.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["keyword", "threshold", "miss_rate", "false_alarms_per_hour"])
        for curve in found:
            for point in curve.points:
                writer.writerow([curve.keyword, point.threshold, point.miss_rate, point.false_alarms_per_hour])
    plot_detection(folder / "det.png", found)


def _store(model: str, found: list, target: float) -> None:
    from pipeline.decoding.keywords import save_thresholds
    from pipeline.evaluation.detection import operating_point

    chosen = {curve.keyword: operating_point(curve, target) for curve in found}
    for keyword, point in chosen.items():
        if point is None:
            print(f"{keyword!r}: no threshold has so few false alarms as {target:g} per hour", file=sys.stderr)
    if target * found[0].hours < 1:
        print(
            f"a threshold for {target:g} per hour is then one with no false alarm in all these hours", file=sys.stderr
        )
    save_thresholds(model, {keyword: point.threshold for keyword, point in chosen.items() if point})


arguments = command.parser(
    __doc__,
    "python scripts/evaluate_keywords.py --model exported/keywords_lstm --positives wakewords/test.jsonl \\\n"
    "      --negatives barista/test.jsonl --negatives speechocean/test.jsonl --out report",
)
arguments.add_argument("--model", metavar="EXPORTED", required=True, help="an exported model's folder")
arguments.add_argument("--positives", metavar="MANIFEST", required=True, help="utterances that hold the keywords")
arguments.add_argument(
    "--negatives", metavar="MANIFEST", required=True, action="append", help="hours of other speech; may be repeated"
)
arguments.add_argument(
    "--keyword",
    metavar="TEXT",
    action="append",
    help="may be repeated; without, all words of a model of words, or else each text among the positives",
)
arguments.add_argument("--together", action="store_true", help="one threshold for all keywords, and one row for all")
arguments.add_argument("--out", metavar="FOLDER", help="writes the curves there: curves.json, curves.csv and det.png")
arguments.add_argument(
    "--target-false-alarms-per-hour", metavar="X", type=float, help="stores thresholds for this rate in EXPORTED"
)
added_noise.add_options(arguments)
skipping.add_options(arguments)
arguments.add_argument("--card", action="store_true", help="adds what was found to the export's card.md")
arguments.add_argument("--json", action="store_true", help="one JSON object a keyword and operating point")

if __name__ == "__main__":
    command.run(main, arguments)
