"""Statements whose parameters are sent beside them, and that PostgreSQL plans once for a connection.

Django writes parameters into the text of a statement, where a message of 100 MB takes three times its size, and which
is planned each time; these are sent and fetched as they are.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

import psycopg
from django.db import connection
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format


class _Texts(bytes):
    """An array of texts as PostgreSQL takes it."""


class _Blobs(bytes):
    """An array of bytea as PostgreSQL takes it."""


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = types["text"].array_oid

    def dump(self, obj: bytes) -> bytes:
        return obj


class _BlobsDumper(_TextsDumper):
    oid = types["bytea"].array_oid


psycopg.adapters.register_dumper(_Texts, _TextsDumper)
psycopg.adapters.register_dumper(_Blobs, _BlobsDumper)


def texts(values: Iterable[str]) -> bytes:
    """`values` as a parameter of type text[], in a tenth of the time that psycopg takes to find out their type."""
    return _Texts(_array(types["text"].oid, [value.encode() for value in values]))


def blobs(values: Iterable[bytes]) -> bytes:
    """`values` as a parameter of type bytea[]."""
    return _Blobs(_array(types["bytea"].oid, list(values)))


def _array(element_type: int, elements: list[bytes]) -> bytes:
    """PostgreSQL's binary form of an array of one dimension: its sizes, then each element after its length."""
    pieces = [struct.pack(">iiIii", 1, 0, element_type, len(elements), 1)]
    for element in elements:
        pieces += struct.pack(">i", len(element)), element
    return b"".join(pieces)


def fetch(statement: LiteralString, parameters: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row that `statement` gives, run on Django's connection and in its transaction; None without a row.

    Raises Django's database errors.
    """
    rows = fetch_all(statement, parameters)
    return rows[0] if rows else None


def fetch_all(statement: LiteralString, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All rows that `statement` gives, as `fetch` runs it."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, binary=True, prepare=True)
        return cursor.fetchall() if cursor.description else []
