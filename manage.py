#!/usr/bin/env python
"""The command line of the CRO: `python manage.py <command>`."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import OperationalError, connection

BROKEN_PIPE = 141


def main() -> None:
    """Run the command that the arguments name.

    A wrong setting, or a database that cannot be reached, ends it with one line saying what to set; a reader of
    its output that goes away, such as `head`, without a word.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cro_project.settings")
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except ImproperlyConfigured as wrong:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Error in the settings: {wrong}")
    except OperationalError as trouble:
        if "--traceback" in sys.argv or connection.connection is not None:
            raise
        from cro_project.environment import why_unreachable

        sys.exit(f"Error in the settings: {why_unreachable(trouble)}")
    except BrokenPipeError:
        # What is still buffered has no reader: at its end, Python would complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)


if __name__ == "__main__":
    main()
