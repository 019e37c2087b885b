import base64

from pipeline.study.document import Commands, Heading, Picture, Table, Text, write_report

BLOCKS = [
    Heading("Cost & size"),
    Text("a < b"),
    Table(["cell", "WER"], [["lstm|x", "3.0%"]]),
    Picture("plots/a.png", "a picture"),
    Commands(["echo 1 > x", "ls"]),
]


def test_both_forms_hold_everything(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "a.png").write_bytes(b"image")
    write_report(tmp_path, "Cells", BLOCKS)
    markdown, html = ((tmp_path / name).read_text() for name in ("report.md", "report.html"))
    assert markdown.startswith("# Cells\n\n## Cost & size\n\na < b\n")
    assert "| cell | WER |\n| --- | ---: |\n| lstm\\|x | 3.0% |" in markdown
    assert "![a picture](plots/a.png)" in markdown and "```bash\necho 1 > x\nls\n```" in markdown
    assert "<h2>Cost &amp; size</h2>" in html and "<p>a &lt; b</p>" in html
    assert "<th>lstm|x</th><td>3.0%</td>" in html and "echo 1 &gt; x\nls" in html
    assert base64.b64encode(b"image").decode() in html and "plots/a.png" not in html
