"""Opening the file of an import: a path, standard input, and what cannot be opened."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from common.csv.reader import Fault, Row, UnreadableFile
from registry.imports.input_file import FileOnDisk

COLUMNS = ("agr", "connection", "start")
LINES = ["agr,connection,start", "agr.example,ean.1,2026-01-01", "Größe,ean.2,"]
READ = [
    Row(2, {"agr": "agr.example", "connection": "ean.1", "start": "2026-01-01"}),
    Row(3, {"agr": "Größe", "connection": "ean.2", "start": ""}),
]


def read_file(path: str) -> list[Row | Fault]:
    with FileOnDisk(path).rows(COLUMNS, lambda count, total: None) as rows:
        return list(rows)


@pytest.mark.parametrize("packed", [True, False])
def test_standard_input_is_read_and_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    text = "\n".join(LINES).encode()
    (tmp_path / "piped").write_bytes(gzip.compress(text) if packed else text)
    with (tmp_path / "piped").open() as piped:
        monkeypatch.setattr("sys.stdin", piped)
        assert read_file("-") == READ
        piped.seek(0)
        assert read_file("-") == READ


def test_a_file_that_is_not_there_or_a_folder_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(UnreadableFile, match=r"cannot be opened: (No such file|Is a directory)"):
            read_file(str(path))
