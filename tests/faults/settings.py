"""The settings of processes that may be told to end in the middle of something."""

from tests.processes import *  # noqa: F403
from tests.processes import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.launcher.FaultsConfig"]
