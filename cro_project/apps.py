"""The Django apps of the project itself: the groups of staff, and the admin site."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.core.checks import register
from django.db.models.signals import post_migrate

from cro_project.config import environment
from cro_project.login import log
from cro_project.staff.groups import reset_groups

NAMES = {"auth": "Staff"}
"""What staff call the apps of libraries."""


class CROProjectConfig(AppConfig):
    name = "cro_project"
    verbose_name = "Common Reference Operator"

    def ready(self) -> None:
        post_migrate.connect(reset_groups, dispatch_uid="cro_project.staff.groups")
        log.connect()
        register(environment.unknown_in_file)


class CROAdminConfig(AdminConfig):
    default_site = "cro_project.console.site.CROAdminSite"

    def ready(self) -> None:
        super().ready()
        for label, name in NAMES.items():
            apps.get_app_config(label).verbose_name = name
