"""Parts of a page that opens anywhere: no script, no font, no file besides itself."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

from napari_mtseg.workflows.review_pictures import DOUBT_COLOURS

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --soft: #5b6670; --line: #d5dbe0;
  --paper: #ffffff; --shade: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --soft: #9aa5ae;
  --line: #3b444c; --paper: #181c20; --shade: #22282d; } }
@media print { :root { --ink: #000; --soft: #444; --line: #bbb; --paper: #fff;
  --shade: #f3f3f3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.5rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0
  .6rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
p { margin: .4rem 0; max-width: 48rem; } .soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; background: var(--shade); }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums;
  overflow-wrap: normal; }
tr { break-inside: avoid; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; }
.tile { background: var(--shade); border-radius: 6px; padding: .5rem 1rem;
  min-width: 6.5rem; } .tile b { display: block; font-size: 1.5rem; }
.cases { display: grid; gap: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr)); }
figure { margin: 0; padding: .7rem; background: var(--shade); border-radius: 6px;
  break-inside: avoid; } figcaption { margin-bottom: .5rem; font-size: .9rem;
  overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
img { width: 100%; height: auto; display: block; }
img.sheet { background: #fff; border-radius: 6px; }
.scale { display: inline-block; width: 8rem; height: .7rem; vertical-align: baseline;
  margin: 0 .4rem; border-radius: 2px; print-color-adjust: exact;
  background: linear-gradient(90deg, GRADIENT); }
summary { cursor: pointer; margin: .5rem 0; }
""".replace("GRADIENT", ", ".join(DOUBT_COLOURS))


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole page of ``parts``, which are HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """Return a heading."""
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str, *, is_soft: bool = False) -> str:
    """Return a paragraph of plain text."""
    mark = ' class="soft"' if is_soft else ""
    return f"<p{mark}>{html.escape(text)}</p>"


def doubt_scale() -> str:
    """Return what the colours of doubt mean."""
    scale = '<span class="scale" role="img" aria-label="black to yellow"></span>'
    return f'<p class="soft">Doubt of each pixel: 0{scale}1</p>'


def tiles(counts: Mapping[str, int]) -> str:
    """Return a row of counts with what they count."""
    inner = "".join(
        f'<div class="tile"><b>{count:,}</b>{html.escape(name)}</div>'
        for name, count in counts.items()
    )
    return f'<div class="tiles">{inner}</div>'


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
) -> str:
    """Return a table of plain text.

    Parameters
    ----------
    columns : sequence of str
        Their titles.
    rows : iterable of sequence of str
        A text per column.
    numbers : sequence of int
        Places of the columns that are aligned to the right.
    """
    marks = [' class="n"' if place in numbers else "" for place in range(len(columns))]

    def row(cells: Sequence[str], tag: str) -> str:
        told = zip(marks, cells, strict=True)
        inner = "".join(f"<{tag}{m}>{html.escape(c)}</{tag}>" for m, c in told)
        return f"<tr>{inner}</tr>"

    body = "\n".join(row(cells, "td") for cells in rows)
    head = row(columns, "th")
    return (
        f'<div class="wide"><table><thead>{head}</thead>\n<tbody>\n{body}\n</tbody>'
        "</table></div>"
    )


def folded(title: str, inner: str) -> str:
    """Return HTML that shows when its title is clicked."""
    return f"<details><summary>{html.escape(title)}</summary>{inner}</details>"


def picture(
    content: bytes, description: str, *, kind: str, is_sheet: bool = False
) -> str:
    """Return a picture that is part of the page; ``kind`` is 'jpeg' or 'png'."""
    data = base64.b64encode(content).decode()
    mark = ' class="sheet"' if is_sheet else ""
    told = html.escape(description, quote=True)
    return (
        f'<img{mark} loading="lazy" src="data:image/{kind};base64,{data}" alt="{told}">'
    )


def case(caption: Sequence[str], inner: str) -> str:
    """Return pictures of one image below lines of plain text, the first one strong."""
    first, *rest = [html.escape(line) for line in caption]
    lines = "<br>".join([f"<strong>{first}</strong>", *rest])
    return f"<figure><figcaption>{lines}</figcaption>{inner}</figure>"
