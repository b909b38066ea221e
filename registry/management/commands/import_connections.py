"""`manage.py import_connections FILE`: import representations from a CSV file."""

from registry.management.imports import ImportCommand
from registry.models.imports import ImportRun


class Command(ImportCommand):
    import_kind = ImportRun.Kind.CONNECTIONS
    help = (
        "Import which AGR represents which connection on which days, as the AGRs' updates would."
        " The same file again changes nothing."
    )
