"""The Django app for what belongs to no single layer: processes, health, set-up."""

from django.apps import AppConfig


class CROProjectConfig(AppConfig):
    name = "cro_project"
    verbose_name = "Common Reference Operator"
