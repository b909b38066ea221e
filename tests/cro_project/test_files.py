"""What must hold for every file of the project."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

BASE = Path(settings.BASE_DIR)
# Written in pieces, so that this file does not find itself.
PACKAGE_INDEXES = (
    "pypi" + r"\.org",
    "pythonhosted" + r"\.org",
    "registry" + r"\.npmjs",
    "npmjs" + r"\.(org|com)",
)
MACHINE_PATHS = (
    r"(?<![\w.-])/" + "root/",
    r"(?<![\w.-])/" + "work/",
    r"(?<![\w.-])/" + r"home/\w",
    "/opt/" + "wheels",
)
INDEX_OPTIONS = ("--" + "find-links", "--" + "extra-index-url", "--" + "index-url")
FORBIDDEN = re.compile(
    "|".join((*PACKAGE_INDEXES, *MACHINE_PATHS, *(f"^{option}" for option in INDEX_OPTIONS))), re.M
)


def files() -> list[Path]:
    """Every file that git keeps, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=BASE,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    return [BASE / name for name in listed.stdout.decode().split("\0") if name]


def test_no_file_names_a_package_index_or_a_path_of_a_machine() -> None:
    found = []
    for file in files():
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        found += [f"{file.relative_to(BASE)}: {match.group()}" for match in FORBIDDEN.finditer(text)]

    assert found == []


def test_every_requirement_is_pinned_with_its_hashes() -> None:
    for name in ("base.txt", "dev.txt"):
        text = (BASE / "requirements" / name).read_text()
        for requirement in re.split(r"\n(?=\S)", text.strip()):
            assert re.match(r"[a-z0-9.-]+==\S+ ", requirement), requirement
            assert "--hash=sha256:" in requirement, requirement


def test_the_layers_are_held_by_import_linter() -> None:
    contracts = tomllib.loads((BASE / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")

    assert layers == [
        "benchmarks",
        "cro_project",
        "reservations",
        "registry",
        "uftp",
        "participants",
        "common",
    ]
