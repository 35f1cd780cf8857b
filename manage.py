#!/usr/bin/env python
"""Laurel's commands. What they need and nobody configured, they bring along: see ``loyalty.embedded``."""

import os
import sys

from loyalty import embedded


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
    only_asks = command in {"help", "version"} or not {"-h", "--help", "--version"}.isdisjoint(
        sys.argv
    )
    embedded.ensure(start=not only_asks)

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except embedded.EmbeddedError as error:
        sys.exit(f"{error}")
