"""Management commands for the tests without starting Python for each.

A line in is the JSON list of a command's name and arguments; a line out says what it printed, or its error.
"""

import json
import sys
from io import StringIO

import django
from django.core.management import call_command
from django.db import connection


def main() -> None:
    django.setup()
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        printed, error = StringIO(), ""
        try:
            call_command(name, *arguments, stdout=printed)
        except Exception as failed:
            error = f"{type(failed).__name__}: {failed}"
        connection.close()
        answers.write(json.dumps({"printed": printed.getvalue(), "error": error}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
