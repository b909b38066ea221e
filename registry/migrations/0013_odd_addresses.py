"""Print the registered addresses that are not of the form of identifiers (docs/rules.md E1). Change nothing."""

from typing import Any

from django.db import migrations

ODD_ADDRESSES = """
SELECT address FROM (
    SELECT address FROM registry_connection UNION SELECT address FROM registry_congestionpoint
) registered
WHERE address ~ '[^ -~]| $' ORDER BY 1
"""
MAX_PRINTED = 100


def report(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(ODD_ADDRESSES)
        addresses = [ascii(address) for (address,) in cursor.fetchall()]
    if addresses:
        print(
            f"\n{len(addresses):,} registered addresses are not printable ASCII without white space at their ends, and"
            " are in no response and no export from now on. docs/operating.md, Upgrading, says what to do:"
        )
        print("\n".join(addresses[:MAX_PRINTED]))


class Migration(migrations.Migration):
    dependencies = [("registry", "0012_refusals_and_endings")]

    operations = [migrations.RunPython(report, migrations.RunPython.noop)]
