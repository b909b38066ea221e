"""The reservations app: its message handlers, file kind and screens."""

from django.apps import AppConfig


def any_recipient(domain: str) -> bool:
    """Accept messages about reservations for every recipient, not only for the CRO."""
    return True


class ReservationsConfig(AppConfig):
    """Register what this app adds to uftp, registry and the admin."""

    name = "reservations"
    verbose_name = "Flexibility reservations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the handlers, the kind of file and the screens."""
        from participants.admin_base.extensions import extend_screens
        from registry.imports import file_kinds
        from registry.models.imports import ImportRun
        from reservations import handlers
        from reservations.admin.extension import EXTENSION
        from reservations.imports import load as import_load
        from reservations.updates import pass_on_result
        from uftp.handlers import register

        register(
            "FlexReservationUpdate",
            role="DSO",
            handle=handlers.flex_reservation_update,
            accepts_recipient=any_recipient,
            on_passed_on=pass_on_result.record_pass_on_result,
        )
        register(
            "FlexReservationUpdateResponse",
            role="AGR",
            handle=handlers.flex_reservation_update_response,
            accepts_recipient=any_recipient,
        )
        file_kinds.register(ImportRun.Kind.CONTRACTS, import_load.KIND)
        extend_screens("reservations", EXTENSION)
