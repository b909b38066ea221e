"""Every route of the CRO."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from cro_project import health

admin.site.site_header = "Common Reference Operator"
admin.site.site_title = "Common Reference Operator"
admin.site.index_title = "Overview"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("", include("uftp.urls")),
]
