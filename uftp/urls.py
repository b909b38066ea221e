"""The route of messages: one path a major version, without a trailing slash and without redirects."""

from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from uftp.endpoint import MessageView
from uftp.versions import MAJORS

urlpatterns = [
    path(
        f"shapeshifter/api/v{major}/message",
        csrf_exempt(MessageView.as_view()),
        {"major": major},
        name=f"message-v{major}",
    )
    for major in sorted(MAJORS)
]
