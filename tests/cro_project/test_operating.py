"""The operator's handbook is complete."""

from pathlib import Path

from django.conf import settings
from django.core.management import get_commands

BASE = Path(settings.BASE_DIR)


def test_every_command_of_the_project_is_in_the_handbook() -> None:
    handbook = (BASE / "docs" / "operating.md").read_text()
    own = {name for name, app in get_commands().items() if (BASE / str(app)).is_dir()}

    assert {"serve", "add_participant", "set_policy", "list_messages"} <= own
    assert sorted(name for name in own if f"`{name}`" not in handbook) == []


def test_the_readme_leads_to_every_document() -> None:
    readme = (BASE / "README.md").read_text()

    assert [file.name for file in (BASE / "docs").glob("*.md") if f"](docs/{file.name})" not in readme] == []
