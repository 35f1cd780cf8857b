"""How often something costly is worked out for one asker."""

from django.core.cache import cache


def is_within(asker: str, *, allowed: int, window: int) -> bool:
    """Count one asking; whether it is among so many in a window of seconds, which begins with the first."""
    key = f"patience:{asker}"
    cache.add(key, 0, window)
    try:
        return cache.incr(key) <= allowed
    except ValueError:
        # It ran out between the two calls.
        return True
