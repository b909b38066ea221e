from django.apps import AppConfig


def anyone(domain: str) -> bool:
    """Messages about reservations are this CRO's business whoever they are addressed to."""
    return True


class ReservationsConfig(AppConfig):
    name = "reservations"
    verbose_name = "Flexibility reservations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from participants.admin_base.extensions import extend_screens
        from registry.imports import file_kinds
        from registry.models.imports import ImportRun
        from reservations import handlers
        from reservations.admin.extension import EXTENSION
        from reservations.imports import load as import_load
        from reservations.updates import forwarding
        from uftp.handlers import register

        register(
            "FlexReservationUpdate",
            role="DSO",
            handle=handlers.flex_reservation_update,
            accepts_recipient=anyone,
            on_passed_on=forwarding.passed_on,
        )
        register(
            "FlexReservationUpdateResponse",
            role="AGR",
            handle=handlers.flex_reservation_update_response,
            accepts_recipient=anyone,
        )
        file_kinds.register(ImportRun.Kind.CONTRACTS, import_load.KIND)
        extend_screens("reservations", EXTENSION)
