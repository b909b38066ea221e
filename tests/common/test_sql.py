"""Prepared statements on Django's connection."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from common import sql
from registry.sql import plans

pytestmark = pytest.mark.django_db(transaction=True)


def end_connection_of_this_thread() -> None:
    """End it by the server, as a restart of the server does, and wait until this side can know."""
    row = sql.fetch("SELECT pg_backend_pid()", {})
    assert row is not None
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10_000)", row)


def test_a_connection_that_the_server_ended_is_replaced_before_a_statement() -> None:
    end_connection_of_this_thread()
    assert sql.fetch("SELECT 1", {}) == (1,)

    end_connection_of_this_thread()
    with plans.keeping_cursor() as cursor:
        cursor.execute("SELECT 2", {})
        assert cursor.fetchone() == (2,)


def test_a_connection_that_ends_inside_a_transaction_fails_it() -> None:
    def run() -> None:
        with transaction.atomic():
            end_connection_of_this_thread()
            sql.fetch("SELECT 1", {})

    with pytest.raises(OperationalError):
        run()


def test_a_statement_returns_its_first_row_or_none() -> None:
    assert sql.fetch("VALUES (1), (2)", {}) == (1,)
    assert sql.fetch("SELECT WHERE false", {}) is None
    assert sql.fetch("SET application_name TO 'here'", {}) is None
