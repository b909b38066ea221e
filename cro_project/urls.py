"""All routes, except the message endpoint (uftp/receiving/middleware.py)."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from cro_project.web import health, plain

admin.site.site_header = "Common Reference Operator"
admin.site.site_title = "Common Reference Operator"
admin.site.index_title = "Dashboard"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("favicon.ico", RedirectView.as_view(url=static("cro_project/icon.svg"))),
    re_path("^(?:shapeshifter|health)(?:/|$)", plain.not_found),
]

handler400 = "cro_project.console.error_pages.bad_request"
handler403 = "cro_project.console.error_pages.permission_denied"
handler404 = "cro_project.console.error_pages.not_found"
handler500 = "cro_project.console.error_pages.server_error"
