"""Measure. Run: ``python -m bench`` (or ``make bench``); ``--help`` says how to make it smaller.

Runs on servers of its own, with the settings that ``make run`` gives them, and throws their data away.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from loyalty import embedded


def main() -> None:
    """Measure what was asked for, print the table and write it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="1 measures the sizes of the README"
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of figures (default: all)")
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="laurel-bench-") as home,
        embedded.servers(Path(home)) as environment,
    ):
        os.environ.update(
            environment
            | {
                "DJANGO_SETTINGS_MODULE": "loyalty.settings",
                "SECRET_KEY": "bench",
                "LAUREL_DEMO": "true",
                "LAUREL_HOME": home,
            }
        )
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Set the database up and go through the figures."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from . import figures
    from .measure import Sizes

    # The others look at the customers that this one makes.
    wanted = [name for name in figures.FIGURES if not options.only or name in options.only]
    if "sustained" in wanted and "everyone" not in wanted:
        wanted.insert(0, "everyone")
    sizes = Sizes().scaled(options.scale) if options.scale != 1 else Sizes()
    lines = []
    for name in wanted:
        for figure in figures.FIGURES[name](sizes):
            lines.append(figure)
            print(
                f"{figure.name}: {figure.measured:,.3f} {figure.unit}; "
                f"{figure.floor_name}: {figure.floor:,.3f} {figure.unit}; "
                f"ratio {figure.ratio:.2f} ({figure.reach}) {figure.note}",
                file=sys.stderr,
                flush=True,
            )
    print("| figure | measured | floor | floor measured | ratio | reach |")
    print("| --- | --- | --- | --- | --- | --- |")
    for line in lines:
        print(
            f"| {line.name}{f' ({line.note})' if line.note else ''} | {line.measured:,.2f} {line.unit} | "
            f"{line.floor_name} | {line.floor:,.2f} {line.unit} | {line.ratio:.2f} | {line.reach} |"
        )
    options.json.write_text(
        json.dumps(
            {
                "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
                "scale": options.scale,
                "figures": [{**asdict(line), "ratio": line.ratio} for line in lines],
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
