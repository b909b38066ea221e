"""Advisory locks: each key stands once, in `common/locks.py`."""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from common import locks

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = (
    "benchmarks",
    "common",
    "cro_project",
    "demo",
    "participants",
    "registry",
    "reservations",
    "tests",
    "uftp",
)
KEYS = {name: value for name, value in vars(locks).items() if name.isupper()}
LITERAL_KEY = re.compile(r"pg_(?:try_)?advisory_\w*(?:lock|unlock)\w*\(\s*\d")


def modules() -> Iterator[Path]:
    """All Python files of the project but the module of the keys."""
    for folder in CODE:
        yield from (path for path in (ROOT / folder).rglob("*.py") if path != Path(locks.__file__))


def numbers(path: Path) -> set[int]:
    """The whole numbers that a file writes, however they are written."""
    with path.open("rb") as file:
        tokens = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NUMBER]
    return {int(text, 0) for text in tokens if re.fullmatch(r"0[xX][\da-fA-F_]+|[1-9][\d_]*", text)}


def test_keys_are_unique_and_fit_in_half_of_a_pair() -> None:
    assert len(set(KEYS.values())) == len(KEYS)
    assert all(0 < key < 2**31 for key in KEYS.values())


def test_no_other_module_writes_a_key() -> None:
    using = [path for path in modules() if "advisory" in path.read_text()]
    assert len(using) > 5
    assert [path for path in using if LITERAL_KEY.search(path.read_text())] == []
    assert [path for path in modules() if numbers(path) & set(KEYS.values())] == []


def test_each_key_is_used() -> None:
    named = "\n".join(path.read_text() for path in modules() if ROOT / "tests" not in path.parents)
    assert [name for name in KEYS if f"locks.{name}" not in named] == []


def test_what_takes_an_advisory_lock_takes_its_key_from_there() -> None:
    taking = re.compile(r"pg_(?:try_)?advisory_\w*lock\w*\([%{]")
    without = [
        path
        for path in modules()
        if taking.search(path.read_text()) and not re.search(r"\blocks\.[A-Z]|\block_key\b", path.read_text())
    ]
    assert without == []
