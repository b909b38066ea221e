"""Write the figures: on the terminal, and into the parts of docs/performance.md that a run replaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.reporting.charts import chart
from benchmarks.reporting.figures import Figure, Series

HEADERS = ("#", "what", "this CRO", "beside", "ratio", "bound")


def row(figure: Figure) -> str:
    """Return a figure as lines for the terminal."""
    number, what, ours, theirs, value, bound = figure.cells
    beside = f" · {theirs}" if theirs else ""
    judged = f" · {value}" if value else ""
    bounded = f" ({bound.replace('*', '')})" if bound else ""
    note = f"; {figure.note}" if figure.note else ""
    return f"{number:<4}{what}\n    {ours}{note}{beside}{judged}{bounded}"


def table(figures: Sequence[Figure]) -> str:
    """Return the figures and their notes as a Markdown table."""
    lines = [f"| {' | '.join(HEADERS)} |", f"|{'---|' * len(HEADERS)}"]
    for figure in figures:
        cells = list(figure.cells)
        cells[2] += f", {figure.note}" if figure.note else ""
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def part(
    day: date,
    runs: int,
    machine: Sequence[tuple[str, str]],
    figures: Sequence[Figure],
    pictures: Sequence[str],
) -> str:
    """Return a part of the page as Markdown: the day, the machine, the table and the pictures."""
    measured = f"Measured on {day:%-d %B %Y}; medians of {runs} {'run' if runs == 1 else 'runs'} each."
    described = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine)])
    return "\n\n".join([measured, described, table(figures), *pictures])


def write_part(page: Path, name: str, content: str) -> None:
    """Put `content` between the page's markers of the part `name`; add the part at the end if it is missing."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8") if page.exists() else "# Performance\n"
    marked_part = f"{begin}\n\n{content}\n\n{end}"
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    text = (
        marked.sub(lambda _: marked_part, text)
        if marked.search(text)
        else f"{text.rstrip()}\n\n{marked_part}\n"
    )
    page.write_text(text, encoding="utf-8")


def draw(page: Path, file: str, title: str, across: str, series: Sequence[Series]) -> str:
    """Write a chart beside the page, and return the Markdown that shows it."""
    picture = page.parent / "images" / file
    picture.parent.mkdir(exist_ok=True)
    picture.write_text(chart(title, across, series), encoding="utf-8")
    return f"![{title}](images/{file})"
