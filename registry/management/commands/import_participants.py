"""`manage.py import_participants FILE`: import participants, with keys and endpoints, from a CSV file."""

from registry.management.imports import ImportCommand
from registry.models.imports import ImportRun


class Command(ImportCommand):
    import_kind = ImportRun.Kind.PARTICIPANTS
    help = (
        "Add and change participants: their public keys, their endpoints and their standing."
        " The same file again changes nothing."
    )
