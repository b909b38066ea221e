#!/usr/bin/env python
"""The command line of the CRO: `python manage.py <command>`."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command that the arguments name; a wrong setting ends it with one line saying what to set."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cro_project.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as wrong:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Error in the settings: {wrong}")


if __name__ == "__main__":
    main()
