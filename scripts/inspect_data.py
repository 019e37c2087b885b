"""Looks at the data that a configuration names, before any training: a page of tables, plots and what is suspicious."""

import json
from dataclasses import asdict
from pathlib import Path

import command


def main(arguments) -> None:
    from pipeline.config import load_config
    from pipeline.data.survey import choose, survey
    from pipeline.data.survey_summary import summaries
    from pipeline.data.suspicions import suspicions
    from pipeline.errors import InputError
    from pipeline.inspection.data_page import write_page
    from pipeline.inspection.data_plots import save_overview

    if arguments.most < 1:
        raise InputError(f"--most: at least 1 wanted, found {arguments.most}")
    # Each file is read once: there is nothing to keep.
    settings = load_config(arguments.config, ["data.cache=none", *arguments.overrides])
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)  # before the work, not after it in vain
    chosen = choose(settings, arguments.most)
    with command.progress_bar(sum(len(split.heard) for split in chosen.values()), "utterance") as bar:
        found = survey(chosen, settings, bar.update)
    findings = suspicions(found, settings)
    numbers = summaries(found, findings)
    write_page(folder, settings.name, found, numbers, findings)
    save_overview(folder / "overview.png", found)
    if arguments.json:
        print(json.dumps({split: asdict(summary) for split, summary in numbers.items()}))
        return
    for split, summary in numbers.items():
        speakers = f"{summary.speakers} speakers" if summary.speakers else "speakers not told"
        print(f"{split}: {summary.utterances} utterances, {summary.hours:.2f} hours, {speakers}")
        for problem, count in summary.suspicious.items():
            print(f"  {problem}: {count}")
    print(folder / "index.html")


arguments = command.parser(__doc__, "python scripts/inspect_data.py configs/commands_lstm.yaml --out data_report")
arguments.add_argument("config", metavar="CONFIG", help="a YAML file, such as those in configs/")
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the file's")
arguments.add_argument(
    "--out", metavar="FOLDER", required=True, help="writes index.html, overview.png and suspicious.jsonl there"
)
arguments.add_argument(
    "--most", type=int, default=5000, metavar="N", help="utterances of a split to listen to (default: %(default)s)"
)
arguments.add_argument("--json", action="store_true", help="one JSON object on stdout, a summary of each split")

if __name__ == "__main__":
    command.run(main, arguments)
