from django.apps import AppConfig


class UftpConfig(AppConfig):
    name = "uftp"
    verbose_name = "UFTP messages"
    default_auto_field = "django.db.models.BigAutoField"
