#!/usr/bin/env python
"""Laurel's commands. What they need and nobody configured, they bring along: see ``loyalty.embedded``."""

import os
import sys

from loyalty import embedded

# What looks after tables itself, or needs none.
WITHOUT_TABLES = {
    "migrate",
    "makemigrations",
    "up",
    "check",
    "test",
    "makemessages",
    "compilemessages",
}


def main() -> None:
    """Run one command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    # Where nobody has said which database to use, somebody is trying Laurel out.
    if command == "up" or "DATABASE_URL" not in os.environ:
        os.environ.setdefault("LAUREL_DEMO", "true")
        if "SECRET_KEY" not in os.environ and os.environ["LAUREL_DEMO"].lower() in {
            "true",
            "1",
            "yes",
        }:
            os.environ["SECRET_KEY"] = embedded.local_secret(embedded.default_home())
    if command == "up":
        os.environ.setdefault("LAUREL_STATIC_ROOT", str(embedded.default_home() / "static"))
    only_asks = command in {"help", "version"} or not {"-h", "--help", "--version"}.isdisjoint(
        sys.argv
    )
    is_ours = "DATABASE_URL" not in os.environ
    embedded.ensure(start=not only_asks)
    if is_ours and not only_asks and command not in WITHOUT_TABLES:
        make_tables()

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


def make_tables() -> None:
    """Give a database of ours that was just made its tables, so that any command works at once."""
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    with connection.cursor() as cursor:
        # Two commands at once: the second waits until the first has made them all.
        cursor.execute("SELECT pg_advisory_lock(1)")
        if "django_migrations" not in connection.introspection.table_names():
            call_command("migrate", verbosity=0)
        cursor.execute("SELECT pg_advisory_unlock(1)")


if __name__ == "__main__":
    try:
        main()
    except embedded.EmbeddedError as error:
        sys.exit(f"{error}")
