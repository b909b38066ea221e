from django.apps import AppConfig


class ReservationsConfig(AppConfig):
    name = "reservations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from reservations.handlers import flex_reservation_update
        from uftp.handling import register

        register(
            "FlexReservationUpdate",
            role="DSO",
            handle=flex_reservation_update,
            may_be_addressed_to=lambda domain: True,
        )
