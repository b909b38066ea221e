#!/usr/bin/env python
"""The command line of the CRO: `python manage.py <command>`."""

import os
import sys
from errno import EDQUOT, EFBIG, ENOSPC

FULL = (ENOSPC, EDQUOT, EFBIG)
BROKEN_PIPE = 141
INTERRUPTED = 130


def main() -> None:
    """Run the command that the arguments name.

    A wrong setting, or a database that cannot be reached, ends it with one line saying what to set; a database without
    the tables of this version with one saying to migrate; a full disk under its output with one saying so; a reader of
    its output that goes away, such as `head`, without a word; Ctrl-C at any moment, also while the modules are loaded,
    with `Stopped.`, where the command has no words of its own.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cro_project.settings")
    try:
        _run()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError, connection

    from common import stdout

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
        from cro_project.config.environment import why_unreachable

        sys.exit(f"Error in the settings: {why_unreachable(trouble)}")
    except ProgrammingError:
        from cro_project.web.health import missing_migrations

        if "--traceback" in sys.argv or not (missing := missing_migrations()):
            raise
        sys.exit(f"Error: {missing}")
    except BrokenPipeError:
        stdout.discard()
        sys.exit(BROKEN_PIPE)
    except OSError as trouble:
        if "--traceback" in sys.argv or trouble.errno not in FULL:
            raise
        stdout.discard()
        sys.exit(f"Error: {trouble.strerror}.")


if __name__ == "__main__":
    main()
