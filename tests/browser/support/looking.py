"""Looking at a screen as it stands: wide and narrow, light and dark, and as axe-core sees it."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

PICTURES = Path(__file__).resolve().parents[3] / "var" / "screenshots"
WIDTHS = (1280, 390)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
GRAVE = ("serious", "critical")

AXE = "async () => (await axe.run(document, {resultTypes: ['violations'], preload: false})).violations"
STICKS_OUT = """() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return null;
    return [...document.querySelectorAll("body *")]
        .filter((it) => it.getBoundingClientRect().right > root.clientWidth + 1)
        .slice(0, 5)
        .map((it) => `${it.tagName} #${it.id} .${it.className}`);
}"""

# A field, button, chart or table that is wider than what frames it, unless it is scrolled inside that.
STICKS_OUT_OF_ITS_FRAME = """() => {
    const frames = ".card, .notice, fieldset, .module, form, dd, td, .side-by-side > *";
    const framed = "input, select, textarea, button, a.button, svg.chart, table, pre, code";
    const scrolled = (it, frame) => {
        for (let up = it.parentElement; up && up !== frame.parentElement; up = up.parentElement) {
            if (["auto", "scroll"].includes(getComputedStyle(up).overflowX)) return true;
        }
        return false;
    };
    const out = new Set();
    for (const frame of document.querySelectorAll(frames)) {
        const edge = frame.getBoundingClientRect();
        for (const it of edge.width ? frame.querySelectorAll(framed) : []) {
            const box = it.getBoundingClientRect();
            const beside = box.right > edge.right + 1 || box.left < edge.left - 1;
            if (box.width > 3 && beside && !it.closest(".visually-hidden") && !scrolled(it, frame)) {
                out.add(`${it.tagName} #${it.id} ${it.className} out of ${frame.tagName} ${frame.className}`);
            }
        }
    }
    return out.size ? [...out].slice(0, 5) : null;
}"""


def look(page: Page, name: str) -> None:
    """Photograph the page four ways into var/screenshots/; fail for what axe-core finds grave, and what sticks out.

    `name` is the screen's, such as `conflict`. The page is left as it was: at its width, in light colours.
    """
    before = page.viewport_size or {"width": WIDTHS[0], "height": 900}
    wrong: list[str] = []
    PICTURES.mkdir(parents=True, exist_ok=True)
    try:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                page.screenshot(
                    path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=True, animations="disabled"
                )
                wrong += [f"{width} px, {scheme}: {finding}" for finding in _findings(page)]
    finally:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(before)
    assert not wrong, f"{name} ({page.url}):\n" + "\n".join(wrong)


def _findings(page: Page) -> list[str]:
    """What is wrong with the page as it is laid out."""
    found = []
    for sticking in (STICKS_OUT, STICKS_OUT_OF_ITS_FRAME):
        if out := page.evaluate(sticking):
            found.append(f"sticks out: {', '.join(out)}")
    # Evaluated by the browser's own protocol, which the page's Content-Security-Policy does not bind.
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe())
    violations: list[dict[str, Any]] = page.evaluate(AXE)
    for violation in violations:
        if violation["impact"] in GRAVE:
            where = "; ".join(f"{node['target']} {node['html'][:150]}" for node in violation["nodes"][:4])
            more = violation["nodes"][0].get("failureSummary", "")
            found.append(f"{violation['impact']} {violation['id']}: {where} | {more}")
    return found


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
