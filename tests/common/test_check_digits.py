"""The check digit of an EAN of 18 digits, in Python and in SQL."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from common.check_digits import WRONG_SQL, has_wrong_check_digit, with_check_digit

addresses = st.one_of(
    st.from_regex(r"ean\.[0-9]{12,34}", fullmatch=True),
    st.from_regex(r"ean\.[0-9]{18}", fullmatch=True),
    st.from_regex(r"[0-9]{17}", fullmatch=True).map(lambda digits: f"ean.{with_check_digit(digits)}"),
    st.from_regex(r"ea1\.2026-01\.example:[a-z\\]{8}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("ean.871685900012636543", False),
        ("ean.871685900012636544", True),
        ("ean.000000000000000000", False),
        ("ean.87168590001263654", False),
        ("ean.8716859000126365443", False),
        ("ea1.2026-01.example.n:1", False),
    ],
)
def test_E2_the_check_digit_of_18_digits(address: str, wrong: bool) -> None:
    assert has_wrong_check_digit(address) is wrong


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(addresses, max_size=5))
@example(["ean.871685900012636544", "ean.871685900012636543"])
def test_E2_the_database_gives_the_same_answers(listed: list[str]) -> None:
    wrong = WRONG_SQL.format(table="unnest(%(listed)s::text[]) stated (address)", condition="true")
    with connection.cursor() as cursor:
        cursor.execute(wrong, {"listed": listed})
        found = [address for (address,) in cursor.fetchall()]
    assert sorted(found) == sorted(filter(has_wrong_check_digit, listed))


@given(st.from_regex(r"[0-9]{17}", fullmatch=True))
def test_a_check_digit_is_right_and_no_other(digits: str) -> None:
    right = with_check_digit(digits)
    for last in "0123456789":
        assert has_wrong_check_digit(f"ean.{digits}{last}") is (f"{digits}{last}" != right)
