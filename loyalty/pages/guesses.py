"""A limit on guessing: five wrong tries in ten minutes."""

from django.core.cache import cache

ALLOWED = 5
WINDOW = 10 * 60


def count(guesser: str) -> None:
    """Count one wrong guess; the window begins with the first."""
    key = f"guesses:{guesser}"
    if not cache.add(key, 1, WINDOW):
        try:
            cache.incr(key)
        except ValueError:
            # It ran out between the two calls.
            cache.add(key, 1, WINDOW)


def are_spent(guesser: str) -> bool:
    """Whether no guess is left for now."""
    return bool(cache.get(f"guesses:{guesser}", 0) >= ALLOWED)
