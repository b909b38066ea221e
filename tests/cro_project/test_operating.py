"""The operator's handbook is complete."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

BASE = Path(settings.BASE_DIR)
DJANGOS = (
    "--version",
    "--verbosity",
    "--settings",
    "--pythonpath",
    "--traceback",
    "--no-color",
    "--force-color",
)


def test_every_command_of_the_project_is_in_the_handbook() -> None:
    handbook = (BASE / "docs" / "operating.md").read_text()
    own = {name for name, app in get_commands().items() if (BASE / str(app)).is_dir()}

    assert {"serve", "add_participant", "set_policy", "list_messages"} <= own
    assert sorted(name for name in own if f"`{name}`" not in handbook) == []


def own_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if (BASE / str(app)).is_dir())


@pytest.mark.parametrize("name", own_commands())
def test_help_shows_the_options_of_the_command_before_those_of_django(name: str) -> None:
    command = load_command_class(get_commands()[name], name)
    shown = command.create_parser("manage.py", name).format_help()
    djangos = [option for option in DJANGOS if option in shown]
    usage, options = shown.split("\n\n", 1)
    before = options[: options.index("Options of every command")]
    assert [option for option in djangos if option in before] == []
    added = [action for action in command.create_parser("manage.py", name)._actions if action.option_strings]
    own = [action.option_strings[-1] for action in added if action.option_strings[-1] not in DJANGOS]
    assert [option for option in own if option not in before] == []
    assert before.rstrip().endswith("Skip system checks.") or "--skip-checks" not in before
    assert usage.startswith("usage: ")


def test_the_readme_leads_to_every_document() -> None:
    readme = (BASE / "README.md").read_text()

    assert [file.name for file in (BASE / "docs").glob("*.md") if f"](docs/{file.name})" not in readme] == []
