"""The base class of the project's commands."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

OPTIONS_OF_DJANGO = "Options of every command"


class OperatorCommand(BaseCommand):
    """A command whose `--help` shows its own options first, and those that Django gives every command below them."""

    def add_base_argument(self, parser: CommandParser, *args: Any, **kwargs: Any) -> None:
        """Add an option of Django to a group of its own."""
        groups = (group for group in parser._action_groups if group.title == OPTIONS_OF_DJANGO)
        group = next(groups, None) or parser.add_argument_group(OPTIONS_OF_DJANGO)
        super().add_base_argument(group, *args, **kwargs)  # type: ignore[arg-type]
