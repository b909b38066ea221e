"""Each rule has its line in docs/rules.md, its one place in the code, and its test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (?P<code>[A-Z]\d+) \|.*\| `(?P<place>[a-z_]+(?:/[a-z_]+)+\.py)` \|$", re.MULTILINE)
CODES = "DEMPSCHQFIN"

RULES = [match.group("code", "place") for match in ROW.finditer((ROOT / "docs/rules.md").read_text())]
APPS = ("common", "participants", "uftp", "registry", "reservations")


def codes_of_tests() -> set[str]:
    """The codes that test functions are named after."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(rf"def test_([{CODES}]\d+)_", path.read_text()))
    return found


def codes_named_in_code() -> dict[str, set[str]]:
    """The codes of rules that the apps name, each with the files."""
    found: dict[str, set[str]] = {}
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            for code in re.findall(rf"\b([{CODES}]\d{{1,2}})\b", path.read_text()):
                found.setdefault(code, set()).add(str(path.relative_to(ROOT)))
    return found


def test_the_rules_are_found() -> None:
    assert len(RULES) > 40
    assert len({code for code, _ in RULES}) == len(RULES), "a code stands twice in docs/rules.md"


@pytest.mark.parametrize(("code", "place"), RULES, ids=[code for code, _ in RULES])
def test_each_rule_has_its_place_and_its_test(code: str, place: str) -> None:
    assert re.search(rf"\b{code}\b", (ROOT / place).read_text()), f"{place} does not name {code}"
    assert code in codes_of_tests(), f"no test is named test_{code}_…"


def test_each_code_in_the_code_and_the_tests_is_a_rule() -> None:
    known = {code for code, _ in RULES}
    unknown = {code: files for code, files in codes_named_in_code().items() if code not in known}
    assert unknown == {}
    assert codes_of_tests() <= known
