from django.apps import AppConfig


class ParticipantsConfig(AppConfig):
    name = "participants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from participants.admin.extension import EXTENSION
        from participants.admin_base.extensions import extend_screens

        extend_screens("participants", EXTENSION)
