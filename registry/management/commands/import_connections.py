"""`manage.py import_connections FILE`: import representations from a CSV file."""

from registry.management.imports import ImportCommand
from registry.models.imports import ImportRun


class Command(ImportCommand):
    import_kind = ImportRun.Kind.CONNECTIONS
    help = (
        "Record which AGR represents which connection, and when, as its own updates would."
        " The same file again changes nothing."
    )
