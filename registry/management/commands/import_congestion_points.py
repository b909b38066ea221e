"""`manage.py import_congestion_points FILE`: import congestion points and memberships from a CSV file."""

from registry.management.imports import ImportCommand
from registry.models.imports import ImportRun


class Command(ImportCommand):
    import_kind = ImportRun.Kind.CONGESTION_POINTS
    help = (
        "Import the congestion points of DSOs with their connections, one connection a line, as the DSOs' updates"
        " would. The same file again changes nothing."
    )
