"""The configuration of the app."""

from django.apps import AppConfig


class UftpConfig(AppConfig):
    """Registers the handlers of the connectivity test, and what this app adds to screens."""

    name = "uftp"
    verbose_name = "UFTP messages"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the handlers and the screen extension."""
        from participants.admin_base.extensions import extend_screens
        from participants.models import Role
        from uftp import connectivity, handlers, message_search
        from uftp.admin.extension import EXTENSION
        from uftp.wakeups import long_jobs

        handlers.register("TestMessage", role=Role.values, handle=connectivity.handle_test_message)
        handlers.register("TestMessageResponse", role=Role.values, handle=connectivity.handle_test_response)
        long_jobs.register(wake=message_search.wake, is_waiting=message_search.is_waiting)
        extend_screens("uftp", EXTENSION)
