"""A survey of utterances as one page of HTML that needs nothing else."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from html import escape
from pathlib import Path
from urllib.parse import quote

from pipeline.data.survey import BLOCK_SECONDS, FLOOR_DBFS, FULL_SCALE, QUIET_DB, Survey
from pipeline.data.survey_summary import Spread, Summary, rare_units
from pipeline.data.suspicions import PROBLEMS, Finding
from pipeline.inspection.data_plots import MOST_SPEAKERS, plots

SHOWN = 20
"""Findings of a problem that the page shows."""

FEW = 20
"""A unit that the training data has less often is rare."""

MOST_RARE = 100
"""Rare units that the page shows."""

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 22%, transparent); }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.note { opacity: .75; margin: .3rem 0; }
.sample { border-left: 4px solid #e07b39; padding-left: .7rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); }
th { text-align: left; font-weight: 600; } td { vertical-align: top; }
.numbers td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.numbers thead th + th { text-align: right; }
.found td { font-size: .9em; } .found td:first-child { overflow-wrap: anywhere; max-width: 22rem; }
details { border-bottom: 1px solid var(--line); padding: .35rem 0; } summary { cursor: pointer; }
summary b { display: inline-block; min-width: 3.2rem; text-align: right; margin-right: .6rem; }
.plots { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem 1rem; } .plots .both { grid-column: span 2; }
@media (max-width: 700px) { .plots { display: block; } }
svg { width: 100%; height: auto; }
"""


def write_page(
    folder: str | Path, title: str, survey: Survey, summaries: dict[str, Summary], findings: list[Finding]
) -> None:
    """Writes index.html, and all findings as suspicious.jsonl.

    Args:
        folder: made if it is not there.
        title: of the page, the configuration's name.
        survey: what was found.
        summaries: of its splits.
        findings: what in it is suspicious, in the order to show.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(asdict(finding), ensure_ascii=False) + "\n" for finding in findings]
    # A name that is no UTF-8 has halves of characters in it, which no file of text can hold.
    (folder / "suspicious.jsonl").write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
    (folder / "index.html").write_text(
        page(title, survey, summaries, findings, plots(survey), folder), encoding="utf-8", errors="xmlcharrefreplace"
    )


def page(
    title: str,
    survey: Survey,
    summaries: dict[str, Summary],
    findings: list[Finding],
    drawn: dict[str, str],
    folder: Path,
) -> str:
    """The HTML around the plots that were `drawn`; files are linked as seen from `folder`."""
    figures = "".join(
        f'<div class="{"both" if name in ("units", "speakers") else "one"}">{svg}</div>' for name, svg in drawn.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}: data</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}: data</h1>
{_sample_note(survey)}
<h2>Splits</h2>
{_counts(summaries)}
<h2>Suspicious</h2>
{_suspicious(findings, folder)}
<h2>Utterances</h2>
{_spreads(summaries)}
<p class="note">Audio is measured at the model's rate, after mixing to one channel. Silence: blocks of
{BLOCK_SECONDS * 1000:g} ms more than {QUIET_DB:g} dB below the utterance's loudest, or below {FLOOR_DBFS:g} dBFS.
Speaking rates leave out the silence before and after, and spaces. 0 dBFS is full scale, a sine of which has a level of
-3 dBFS. Clipped: samples from {FULL_SCALE:g} of full scale on.</p>
<h2>Plots</h2>
<p class="note">Histograms: each split is its own whole; what lies far outside counts in the outermost bars.
{f"Speakers: at most {MOST_SPEAKERS}." if "speakers" in drawn else "The sources tell no speakers."}</p>
<div class="plots">{figures}</div>
<h2>Rare units</h2>
{_rare(survey)}
</body></html>
"""


def _sample_note(survey: Survey) -> str:
    sampled = [f"{survey.heard[split]} of {len(survey.rows[split])} in {split}" for split in survey.rows]
    if not any(survey.is_sample(split) for split in survey.rows):
        return f'<p class="note">All utterances were listened to: {", ".join(sampled)}.</p>'
    return (
        f'<p class="sample">This is a sample: listened to were {", ".join(sampled)}. Transcripts, speakers and units '
        "are those of all; lengths of the others are as announced; what audio alone tells is of the sample, and so "
        "most duplicates are not found.</p>"
    )


def _table(summaries: dict[str, Summary], rows: Iterable[tuple[str, Callable[[Summary], str]]]) -> str:
    head = "".join(f"<th>{split}</th>" for split in summaries)
    body = "".join(
        f"<tr><th>{label}</th>{''.join(f'<td>{show(each)}</td>' for each in summaries.values())}</tr>"
        for label, show in rows
    )
    return f'<div class="wide"><table class="numbers"><thead><tr><th></th>{head}</tr></thead>{body}</table></div>'


def _counts(summaries: dict[str, Summary]) -> str:
    def rates(summary: Summary) -> str:
        return "<br>".join(f"{rate} Hz: {count}" for rate, count in summary.file_rates.items()) or "no files"

    return _table(
        summaries,
        [
            ("utterances", lambda each: f"{each.utterances}"),
            ("hours", lambda each: f"{each.hours:.2f}"),
            ("speakers", lambda each: f"{each.speakers}" if each.speakers else "not told"),
            ("utterances without a speaker", lambda each: f"{each.without_speaker}"),
            ("different transcripts", lambda each: f"{each.transcripts}"),
            ("different words", lambda each: f"{each.words}"),
            ("units in all", lambda each: f"{each.unit_count}"),
            ("files' sample rates", rates),
            ("unreadable", lambda each: f"{each.unreadable}"),
            ("samples clipped", lambda each: "" if each.clipped_share is None else f"{each.clipped_share:.4%}"),
            ("suspicious findings", lambda each: f"{sum(each.suspicious.values())}"),
        ],
    )


def _spreads(summaries: dict[str, Summary]) -> str:
    def shown(key: str, digits: int, factor: float) -> Callable[[Summary], str]:
        def show(summary: Summary) -> str:
            spread: Spread | None = getattr(summary, key)
            if spread is None:
                return ""
            least, p5, middle, p95, most = (f"{value * factor:.{digits}f}" for value in asdict(spread).values())
            return f"{least} · {p5} · <b>{middle}</b> · {p95} · {most}"

        return show

    quantities = [
        ("length, s", "seconds", 2, 1),
        ("characters a second", "characters_per_second", 1, 1),
        ("words a second", "words_per_second", 1, 1),
        ("silence before, s", "leading_seconds", 2, 1),
        ("silence after, s", "trailing_seconds", 2, 1),
        ("silence in all, %", "silent_share", 0, 100),
        ("level, dBFS", "level_dbfs", 1, 1),
        ("peak, dBFS", "peak_dbfs", 1, 1),
    ]
    legend = '<p class="note">Least · 5 % · <b>median</b> · 95 % · most.</p>'
    return legend + _table(summaries, [(label, shown(*how)) for label, *how in quantities])


def _suspicious(findings: list[Finding], folder: Path) -> str:
    by_problem = {problem: [each for each in findings if each.problem == problem] for problem in PROBLEMS}
    lists = "".join(_list(problem, found, folder) for problem, found in by_problem.items() if found)
    none = ", ".join(problem for problem, found in by_problem.items() if not found)
    everything = '<p class="note">All of them, a JSON object a line: <a href="suspicious.jsonl">suspicious.jsonl</a>.'
    return (lists + everything + "</p>" if lists else "<p>Nothing.</p>") + (
        f'<p class="note">Looked for and not found: {escape(none)}.</p>' if none else ""
    )


def _list(problem: str, found: list[Finding], folder: Path) -> str:
    rows = "".join(
        f"<tr><td>{_linked(each, folder)}</td><td>{escape(each.split)}</td><td>{escape(each.found)}</td>"
        f"<td>{escape(each.text)}</td></tr>"
        for each in found[:SHOWN]
    )
    more = f'<p class="note">The first {SHOWN} of {len(found)}.</p>' if len(found) > SHOWN else ""
    named = "speaker" if problem == "speaker across splits" else "utterance"
    return (
        f"<details><summary><b>{len(found)}</b>{escape(problem)}</summary>"
        f'<p class="note">{escape(PROBLEMS[problem])}</p><div class="wide"><table class="found"><thead><tr>'
        f"<th>{named}</th><th>split</th><th>found</th><th>transcript</th></tr></thead>{rows}</table></div>{more}"
        "</details>"
    )


def _linked(finding: Finding, folder: Path) -> str:
    """The name, a link if it is a file: to listen to."""
    name = escape(finding.name)
    try:
        if not Path(finding.name).is_file():
            return name
    except (OSError, ValueError):  # a name that no file can have
        return name
    target = quote(os.fsencode(os.path.relpath(finding.name, folder)))
    return f'<a href="{target}">{name}</a>'


def _rare(survey: Survey) -> str:
    rare = rare_units(survey, FEW)
    if not rare:
        return f"<p>None: the training data has each of its {len(survey.units.symbols)} units {FEW} times or more.</p>"
    head = "".join(f"<th>{split}</th>" for split in survey.counts)
    body = "".join(
        f"<tr><th>{escape(repr(symbol) if symbol.isspace() else symbol)}</th>"
        + "".join(f"<td>{count}</td>" for count in counts.values())
        + f"<td>{_rarity(counts)}</td></tr>"
        for symbol, counts in rare[:MOST_RARE]
    )
    more = f'<p class="note">The {MOST_RARE} rarest of {len(rare)}.</p>' if len(rare) > MOST_RARE else ""
    return (
        f'<p class="note">Units, or symbols that the units lack, that the training data has less than {FEW} times.</p>'
        f'<div class="wide"><table class="numbers"><thead><tr><th>unit</th>{head}<th></th></tr></thead>{body}</table>'
        f"</div>{more}"
    )


def _rarity(counts: dict[str, int]) -> str:
    if counts["train"]:
        return ""
    return "only in " + " and ".join(split for split, count in counts.items() if count) if any(counts.values()) else ""
