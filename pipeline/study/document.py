"""A report of headings, texts, tables, pictures and commands, as Markdown and as one page of HTML."""

import base64
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column names the row."""

    head: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Picture:
    """A file, relative to the report's folder, and what it shows."""

    path: str
    caption: str


@dataclass(frozen=True)
class Commands:
    lines: list[str]


Block = Heading | Text | Table | Picture | Commands

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 22%, transparent); }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.wide, pre { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { text-align: left; } td { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } img { max-width: 100%; background: white; } figcaption { opacity: .75; }
"""


def write_report(folder: str | Path, title: str, blocks: list[Block]) -> None:
    """Writes report.md, beside its pictures, and report.html, with the pictures in it."""
    folder = Path(folder)
    (folder / "report.md").write_text(markdown(title, blocks), encoding="utf-8")
    (folder / "report.html").write_text(html(title, blocks, folder), encoding="utf-8")


def markdown(title: str, blocks: list[Block]) -> str:
    """The report as Markdown."""
    return f"# {title}\n\n" + "\n\n".join(map(_as_markdown, blocks)) + "\n"


def html(title: str, blocks: list[Block], folder: Path) -> str:
    """The report as one page that needs nothing else; pictures are read from `folder`."""
    body = "\n".join(_as_html(block, folder) for block in blocks)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{body}
</body></html>
"""


def _as_markdown(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {text}"
        case Text(text):
            return text
        case Table(head, rows):
            lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
            return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        case Picture(path, caption):
            return f"![{caption}]({path})\n\n*{caption}*"
        case Commands(lines):
            return "```bash\n" + "\n".join(lines) + "\n```"


def _as_html(block: Block, folder: Path) -> str:
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Table(head, rows):
            top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
            body = "".join(
                f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}</tr>"
                for row in rows
            )
            return f'<div class="wide"><table><thead><tr>{top}</tr></thead>{body}</table></div>'
        case Picture(path, caption):
            data = base64.b64encode((folder / path).read_bytes()).decode()
            image = f'<img src="data:image/png;base64,{data}" alt="{escape(caption)}">'
            return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
        case Commands(lines):
            return f"<pre>{escape(chr(10).join(lines))}</pre>"
