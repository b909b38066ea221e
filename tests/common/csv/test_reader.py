"""The reader of operators' CSV files: every way in which a spreadsheet saves one, and what is wrong by its line."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from pathlib import Path

import pytest

from common.csv.reader import Fault, Row, UnreadableFile, file_name, read_rows, unpack

COLUMNS = ("agr", "connection", "start")
LINES = ["agr,connection,start", "agr.example,ean.1,2026-01-01", "Größe,ean.2,"]
OPEN = "A quote is opened here and not closed on its line."
STRAY = "A quote stands in a field that is not quoted; quote the field, and write the quote inside it twice."
READ = [
    Row(2, {"agr": "agr.example", "connection": "ean.1", "start": "2026-01-01"}),
    Row(3, {"agr": "Größe", "connection": "ean.2", "start": ""}),
]


def read(content: bytes | str) -> list[Row | Fault]:
    data = content.encode() if isinstance(content, str) else content
    return list(read_rows(io.BytesIO(data), COLUMNS))


def said(content: bytes | str) -> list[str]:
    """What is wrong, line by line; good rows by the number of their line."""
    return [str(each) if isinstance(each, Fault) else str(each.line) for each in read(content)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_each_way_to_save_it_reads_the_same(end: str, delimiter: str, bom: bytes, last: bool) -> None:
    text = end.join(line.replace(",", delimiter) for line in LINES) + (end if last else "")
    assert read(bom + text.encode()) == READ


def test_columns_come_in_any_order() -> None:
    assert read("start;agr;connection\n2026-01-01;agr.example;ean.1\n") == READ[:1]


def test_fields_and_header_may_be_quoted_and_blanks_around_values_mean_nothing() -> None:
    text = '"agr", connection ,"start"\n"a, ""b"";c", ean.1 ,\t\n'
    assert read(text) == [Row(2, {"agr": 'a, "b";c', "connection": "ean.1", "start": ""})]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_numbered_as_an_editor_does(end: str) -> None:
    text = end.join(["agr,connection,start", "", " ,,", "short,row", "x\x0b\x0c\x85\u2028,y,z", ""])
    assert said(text) == ["line 4: 2 fields, where the header has 3.", "5"]


def test_a_row_with_a_field_too_many_or_too_few_is_named_and_the_rest_is_read() -> None:
    assert said("agr,connection,start\na,b,c,d\na,b\na,b,c\n") == [
        "line 2: 4 fields, where the header has 3.",
        "line 3: 2 fields, where the header has 3.",
        "4",
    ]


def test_a_short_last_line_asks_whether_the_file_is_cut_off() -> None:
    cut = "2 fields, where the header has 3. It is the last line: is the file cut off?"
    assert said("agr,connection,start\na,b,c\na,b\na,b") == [
        "2",
        "line 3: 2 fields, where the header has 3.",
        f"line 4: {cut}",
    ]
    assert said("agr,connection,start\na,b\n\n") == ["line 2: 2 fields, where the header has 3."]
    assert said("agr,connection,start\na,b,c,d\n") == ["line 2: 4 fields, where the header has 3."]
    assert said('agr,connection,start\na\na,"b') == [
        "line 2: 1 field, where the header has 3.",
        f"line 3: {OPEN}",
    ]


def test_the_columns_may_be_named_in_any_case() -> None:
    assert read("Agr,CONNECTION,Start\nagr.example,ean.1,2026-01-01\n") == READ[:1]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_line_for_spreadsheets_may_stand_above_the_header(bom: str) -> None:
    first, second = read(bom + "sep=;\r\n" + "\r\n".join(LINES).replace(",", ";"))
    assert [first, second] == [each._replace(line=each.line + 1) for each in READ]
    with pytest.raises(UnreadableFile, match="line 2: This names other columns"):
        read("sep=;\nagr;start\n")


def test_bytes_that_are_no_text_are_named_and_the_rest_is_read() -> None:
    content = b"agr,connection,start\na,b\xff,c\xe9\na,b\0,c\na,b,c\n"
    assert said(content) == [
        "line 2, column connection: This is not UTF-8: save the file as CSV in UTF-8.",
        "line 2, column start: This is not UTF-8: save the file as CSV in UTF-8.",
        "line 3, column connection: This holds a NUL byte.",
        "4",
    ]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('a,"b,c', OPEN),
        ('"a,b,c', OPEN),
        ('a,b,"', OPEN),
        ('a,b,"c""', OPEN),
        ('a,"b""""",c', ""),
        ('a,"b"",""c",""', ""),
        ('"",",""",""""', ""),
        (
            '"a"b,c,d',
            "A quoted field goes on after its closing quote; a quote inside a field is written twice.",
        ),
        ('a,b",c', STRAY),
        ('a,b"",c', STRAY),
        ('a, "b",c', STRAY),
        ('"a",b;"c",d', STRAY),
        ('"a","b""c",d"', STRAY),
        (f"a,{'b' * 200_000},c", "A field is far too long."),
        (f"a,{'b' * 100_000},c", ""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_quote_that_goes_wrong_makes_its_line_bad_and_no_other(line: str, wrong: str, end: str) -> None:
    text = end.join(["agr,connection,start", "a,b,c", line, '"x","y","z"', line, "d,e,f"])
    third, fifth = (f"line {number}: {wrong}" if wrong else str(number) for number in (3, 5))
    assert said(text) == ["2", third, "4", fifth, "6"]
    assert read(text)[2] == Row(4, {"agr": "x", "connection": "y", "start": "z"})


def test_a_quote_that_is_never_closed_takes_no_other_line_with_it() -> None:
    text = 'agr,connection,start\na,"b,c\n' + "a,b,c\n" * 100_000
    assert said(text) == [f"line 2: {OPEN}", *map(str, range(3, 100_003))]


def test_each_line_of_a_field_with_line_breaks_is_a_line_of_its_own() -> None:
    text = 'agr,connection,start\n"a\nb",x,y\n"c\n\nd,e,f\ng",x,y\nh,i,j\n'
    assert said(text) == [
        f"line 2: {OPEN}",
        f"line 3: {STRAY}",
        f"line 4: {OPEN}",
        "6",
        f"line 7: {STRAY}",
        "8",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1: This does not name the columns. Wanted are, in any order: agr,connection,start."),
        ("\nagr,connection,start\n", "line 1: This does not name the columns."),
        (
            "agr,conection,start\n",
            "line 1: This names other columns than wanted. Missing: connection; unknown: 'conection'."
            " Wanted are, in any order: agr,connection,start.",
        ),
        (
            "agr\tconnection\tstart\n",
            "line 1: Columns are separated by commas or semicolons, and not by tabs. Wanted",
        ),
        (
            b"PK\x03\x04\x14\0\x06",
            "This is an Excel workbook or a zip file, and no CSV: save the file as CSV in UTF-8.",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "This is an Excel workbook or a zip file, and no CSV"),
        ("end;start\n", "Missing: agr, connection; unknown: 'end'."),
        ("agr,start,connection,start\n", "Named more than once: start."),
        ("agr,,connection,start\n", "Unknown: ''."),
        ('agr,"connection,start\n', f"line 1: This does not name the columns. {OPEN} Wanted"),
        (b"agr,connection,st\xff\n", "line 1: This is not UTF-8"),
        ("agr,connection,start\n".encode("utf-16"), "line 1: This is not UTF-8"),
    ],
)
def test_a_header_that_does_not_match_says_what_is_wanted(content: bytes | str, says: str) -> None:
    with pytest.raises(UnreadableFile) as raised:
        read(content)
    assert says in str(raised.value)


def read_file(path: str) -> list[Row | Fault]:
    with Path(path).open("rb") as packed, unpack(packed) as file:
        return list(read_rows(file, COLUMNS))


def test_a_file_is_read_plain_or_packed(tmp_path: Path) -> None:
    text = "\r\n".join(LINES).encode()
    (tmp_path / "plain.csv").write_bytes(text)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text))
    assert read_file(str(tmp_path / "plain.csv")) == read_file(str(tmp_path / "packed.csv.gz")) == READ
    assert file_name(str(tmp_path / "packed.csv.gz")) == "packed.csv.gz"
    assert file_name("-") == "standard input"


def test_a_packed_file_that_is_cut_off_or_damaged_says_so(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join([LINES[0], *(f"a,{n},b" for n in range(10_000))]).encode())
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xFF
    for content in (packed[:-20], bytes(damaged), packed[:2]):
        (tmp_path / "cut.csv.gz").write_bytes(content)
        with pytest.raises(UnreadableFile, match="cannot be read to its end"):
            read_file(str(tmp_path / "cut.csv.gz"))


def test_a_large_file_is_read_as_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "large.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("agr,connection,start\n")
        file.writelines(f"agr.example,ean.{number},2026-01-01\n" for number in range(200_000))
    tracemalloc.start()
    try:
        with path.open("rb") as packed, unpack(packed) as content:
            assert sum(1 for _ in read_rows(content, COLUMNS)) == 200_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20, f"{peak} bytes were held at once"


@pytest.mark.parametrize("end", [";", ";;;", "; ;"])
def test_empty_columns_after_the_last_are_ignored(end: str) -> None:
    """Spreadsheets write them; some only in the header, some only in the lines."""
    lines = ["agr;connection;start", "a.example;ean.1;2026-01-01", "b.example;ean.2;"]
    read_as = [
        Row(2, {"agr": "a.example", "connection": "ean.1", "start": "2026-01-01"}),
        Row(3, {"agr": "b.example", "connection": "ean.2", "start": ""}),
    ]
    assert read("\n".join(f"{line}{end}" for line in lines)) == read_as
    assert read("\n".join([lines[0], *(f"{line}{end}" for line in lines[1:])])) == read_as
    assert read("\n".join([f"{lines[0]}{end}", *lines[1:]])) == read_as


def test_a_value_after_the_last_column_is_a_fault() -> None:
    (fault,) = read("agr;connection;start;\na.example;ean.1;2026-01-01;x")
    assert str(fault) == "line 2: 4 fields, where the header has 3."


def test_only_blanks_and_tabs_around_a_value_are_ignored() -> None:
    """Other white space is left for the rule of the column to name (docs/rules.md E1)."""
    text = "agr,connection,start\n \ta ,\u00a0ean.1,2026-01-01\u2028"
    assert read(text) == [Row(2, {"agr": "a", "connection": "\u00a0ean.1", "start": "2026-01-01\u2028"})]
