"""A limit on guessing: five wrong tries in ten minutes."""

from contextlib import suppress

from django.core.cache import cache

ALLOWED = 5
WINDOW = 10 * 60


def take(guesser: str, *, allowed: int = ALLOWED) -> bool:
    """Use a guess up before it is looked at, so that those sent at once count too; False where none is left.

    The window begins with the first. One that was right is to be given back.
    """
    key = f"guesses:{guesser}"
    if cache.add(key, 1, WINDOW):
        return True
    try:
        return bool(cache.incr(key) <= allowed)
    except ValueError:
        # It ran out between the two calls.
        return bool(cache.add(key, 1, WINDOW))


def give_back(guesser: str) -> None:
    """The guess was right."""
    with suppress(ValueError):
        cache.decr(f"guesses:{guesser}")


def are_spent(guesser: str) -> bool:
    """Whether no guess is left for now."""
    return bool(cache.get(f"guesses:{guesser}", 0) >= ALLOWED)
