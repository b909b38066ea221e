"""`manage.py import_contracts F`: import contracts between DSOs and AGRs from a CSV file."""

from registry.management.imports import ImportCommand
from registry.models.imports import ImportRun


class Command(ImportCommand):
    """Import contracts."""

    import_kind = ImportRun.Kind.CONTRACTS
    help = (
        "Record contracts between DSOs and AGRs. The same file again changes nothing. Contracts that it does not name"
        " stay as they are: there is no --full, as a contract ends by its own end."
    )
