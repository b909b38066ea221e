"""What the documents point at is there: files, folders, links and their anchors."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"var"}

CODE = re.compile(r"`([^`\s]+)`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
PATH = re.compile(r"[a-z][\w./-]*/[\w./-]*")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def paths_named_in(text: str) -> set[str]:
    """The paths from the project's root that are named in `code`, such as `uftp/apps.py` and `tests/support/`."""
    return {code for code in CODE.findall(text) if PATH.fullmatch(code) and code.split("/")[0] in OURS}


def anchors_of(document: Path) -> set[str]:
    """The anchors of the headings, as they are made on the pages of code hosts."""
    times: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(FENCED.sub("", document.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(f"{anchor}-{times[anchor]}" if times[anchor] else anchor)
        times[anchor] += 1
    return found


def test_the_documents_and_their_paths_are_found() -> None:
    assert {"README.md", "CONTRIBUTING.md", "design.md"} <= {path.name for path in DOCUMENTS}
    assert len(paths_named_in((ROOT / "CONTRIBUTING.md").read_text())) > 40


@each_document
def test_the_paths_that_a_document_names_exist(document: Path) -> None:
    missing = [path for path in paths_named_in(document.read_text()) if not (ROOT / path).exists()]
    assert sorted(missing) == []


@each_document
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", document.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name) if name else document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []
