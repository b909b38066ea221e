"""The throttle of the message endpoint."""

import time

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from common.networks import client_network


class AddressThrottle(BaseThrottle):
    """Counts the requests of an address, or of an IPv6 /64, in each minute of the clock, for its web process alone."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request, and return whether it is within the limit of its minute."""
        minute, self._second = divmod(int(time.time()), 60)
        key = f"uftp:requests:{client_network(request.META.get('REMOTE_ADDR', ''))}:{minute}"
        cache.add(key, 0, timeout=120)
        try:
            count = cache.incr(key)
        except ValueError:  # the cache has dropped it meanwhile
            return True
        return count <= settings.UFTP_REQUESTS_PER_MINUTE

    def wait(self) -> int:
        """Return the seconds until the next minute."""
        return 60 - self._second
