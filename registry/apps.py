"""The app of the common reference: it registers the handlers of its messages and the import of uploads."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = "Common reference"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from participants.admin_base.extensions import extend_screens
        from registry import handlers
        from registry.admin.extension import EXTENSION
        from registry.imports import upload_jobs
        from uftp.handlers import register
        from uftp.wakeups import long_jobs

        register("AGRPortfolioUpdate", role="AGR", handle=handlers.agr_portfolio_update)
        register("DSOPortfolioUpdate", role="DSO", handle=handlers.dso_portfolio_update)
        register(
            "AGRPortfolioQuery",
            role="AGR",
            handle=handlers.agr_portfolio_query,
            refused=handlers.refused_agr_query,
        )
        register(
            "DSOPortfolioQuery",
            role="DSO",
            handle=handlers.dso_portfolio_query,
            refused=handlers.refused_dso_query,
        )
        long_jobs.register(wake=upload_jobs.wake, waits=upload_jobs.waits)
        extend_screens("registry", EXTENSION)
