"""The app configuration of the registry."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """The app of the common reference."""

    name = "registry"
    verbose_name = "Common reference"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the handlers of messages, and the job that imports uploads."""
        from participants.admin_base.extensions import extend_screens
        from registry import handlers
        from registry.admin.extension import EXTENSION
        from registry.imports import upload_jobs
        from registry.notices import queue as jobs
        from uftp.handlers import register
        from uftp.wakeups import long_jobs

        register("AGRPortfolioUpdate", role="AGR", handle=handlers.agr_portfolio_update)
        register("DSOPortfolioUpdate", role="DSO", handle=handlers.dso_portfolio_update)
        register(
            "AGRPortfolioQuery",
            role="AGR",
            handle=handlers.agr_portfolio_query,
            rejected_fields=handlers.rejected_agr_query_fields,
        )
        register(
            "DSOPortfolioQuery",
            role="DSO",
            handle=handlers.dso_portfolio_query,
            rejected_fields=handlers.rejected_dso_query_fields,
        )
        long_jobs.register(wake=upload_jobs.wake, is_waiting=upload_jobs.is_waiting)
        long_jobs.register(wake=jobs.wake_due, is_waiting=jobs.is_due)
        extend_screens("registry", EXTENSION)
