"""How often something costly is worked out for one asker."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.core.cache import cache
from django.http import HttpRequest


def neighbourhood(request: HttpRequest) -> str:
    """Whose asking is counted together where nobody is signed in: one address, of IPv6 what one household has."""
    try:
        parsed = ip_address(str(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return "nowhere"
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


def is_within(asker: str, *, allowed: int, window: int) -> bool:
    """Count one asking; whether it is among so many in a window of seconds, which begins with the first."""
    key = f"patience:{asker}"
    cache.add(key, 0, window)
    try:
        return cache.incr(key) <= allowed
    except ValueError:
        # It ran out between the two calls.
        return True
