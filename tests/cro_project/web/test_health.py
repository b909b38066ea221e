"""What a load balancer sees."""

import re

import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from tests.support.processes import Process, working


def test_alive_whatever_else_is_wrong(client: Client) -> None:
    assert client.get("/health/live").status_code == 200


@pytest.mark.django_db
def test_ready_with_a_worker_that_is_alive(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")

    answer = client.get("/health/ready")

    assert (answer.status_code, answer.content) == (200, b"ready\n")


@pytest.mark.django_db
def test_not_ready_with_a_worker_that_fell_silent(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 min')")

    answer = client.get("/health/ready")

    assert answer.status_code == 503
    assert answer.content == b"no worker has been seen for 45 seconds: run manage.py worker\n"


@pytest.mark.django_db
def test_not_ready_before_the_migrations(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'uftp'")

    answer = client.get("/health/ready")

    assert answer.status_code == 503
    assert b"run manage.py migrate" in answer.content


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_not_start_before_the_migrations() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE (app, name) = "
            "(SELECT app, max(name) FROM django_migrations WHERE app = 'uftp' GROUP BY app) RETURNING app, name"
        )
        (app, name) = cursor.fetchone()
    try:
        with working() as worker:
            assert worker.process.wait(60) == 1
            assert worker.log == "CommandError: 1 migrations are not applied: run manage.py migrate\n"
    finally:
        MigrationRecorder(connection).record_applied(app, name)


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["list_conflicts", "set_policy"])
def test_a_command_before_the_migrations_ends_with_one_line(command: str) -> None:
    started = Process(command, TEST_DATABASE="postgres")  # a database without tables
    assert started.process.wait(60) == 1
    assert re.fullmatch(r"Error: \d+ migrations are not applied: run manage.py migrate\n", started.log)


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_the_database(client: Client) -> None:
    default = connections["default"]
    default.close()
    host, engine_port = default.settings_dict["HOST"], default.settings_dict["PORT"]
    default.settings_dict.update(HOST="127.0.0.1", PORT="1")
    try:
        answer = client.get("/health/ready")
    finally:
        default.close()
        default.settings_dict.update(HOST=host, PORT=engine_port)

    assert (answer.status_code, answer.content) == (503, b"the database cannot be reached\n")
