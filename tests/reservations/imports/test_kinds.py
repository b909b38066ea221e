"""A file of another kind, given to each of the commands that import files: the message names the right command."""

from io import StringIO
from itertools import permutations
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry.imports.file_kinds import KINDS

ALL = ("participants", "congestion points", "connections", "contracts")


def command(kind: str) -> str:
    return f"import_{kind.replace(' ', '_')}"


def refusal(given_to: str, header: str, folder: Path) -> str:
    file = folder / "file.csv"
    file.write_text(f"{header}\n")
    with pytest.raises(CommandError) as refused:
        call_command(command(given_to), str(file), stdout=StringIO(), stderr=StringIO())
    return str(refused.value)


@pytest.mark.parametrize(("given_to", "kind"), list(permutations(ALL, 2)))
@pytest.mark.django_db(transaction=True)
def test_a_file_of_another_kind_names_the_right_command(given_to: str, kind: str, tmp_path: Path) -> None:
    columns = KINDS[kind].columns

    exact = refusal(given_to, ",".join(reversed(columns)), tmp_path)
    nearly = refusal(given_to, ";".join([*columns[:-1], "remark"]), tmp_path)

    advice = f"{kind}: import it by manage.py {command(kind)}, or upload it as {kind.capitalize()}."
    assert f"These are the columns of {advice}" in exact
    assert f"Most of these are columns of {advice}" in nearly


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.django_db(transaction=True)
def test_a_header_with_a_fault_is_not_taken_for_another_kind(kind: str, tmp_path: Path) -> None:
    first, *others = KINDS[kind].columns

    text = refusal(kind, ",".join(["who", *others]), tmp_path)

    assert f"Missing: {first}; unknown: 'who'." in text
    assert "columns of" not in text


@pytest.mark.django_db(transaction=True)
def test_a_header_like_no_kind_is_of_none(tmp_path: Path) -> None:
    assert "columns of" not in refusal("connections", "name,city,start,end", tmp_path)
