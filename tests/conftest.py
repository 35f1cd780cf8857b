"""Where the tests run: on a PostgreSQL and a Valkey of their own, started once and thrown away.

TEST_DATABASE_URL and TEST_REDIS_URL replace them. Under ``pytest -n`` each worker has a database and a Redis
database of its own.
"""

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.cache import cache

from loyalty import embedded

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

# Before anything imports it: its assertions say what they saw.
pytest.register_assert_rewrite("tests.scoring.world")

running = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers and set the environment; pytest-django reads the settings after this."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        os.environ.update(start_servers())
    else:
        # The tests of one worker may empty its Redis database.
        os.environ["REDIS_URL"] = (
            f"{os.environ['REDIS_URL'].split('?')[0]}?db={int(worker[2:]) + 1}"
        )
        # What is published is heard in every database.
        os.environ["LAUREL_REDIS_PREFIX"] = f"laurel-{worker}:"
    os.environ["DJANGO_SETTINGS_MODULE"] = "loyalty.settings"
    # Playwright's loop runs in the thread of the test, and Django takes that for an async view.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    # pytest-django finds it done, and blocks the database for tests that do not ask for it.
    django.setup()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Workers must not find the settings' name: pytest-django would read them before their REDIS_URL is set."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def start_servers() -> dict[str, str]:
    """The environment of all tests; its servers stop with the session."""
    home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="laurel-tests-")))
    given = {name: os.environ.get(f"TEST_{name}", "") for name in ("DATABASE_URL", "REDIS_URL")}
    used = embedded.Servers(home, durable=False, but=[name for name, url in given.items() if url])
    used.acquire()
    running.callback(used.release)
    return {
        "SECRET_KEY": "for tests only",
        "LAUREL_DEMO": "true",
        "LAUREL_HOME": str(home),
        **{name: url for name, url in given.items() if url},
        **used.environment,
    }


def pytest_collection(session: pytest.Session) -> None:
    """Let every test ask for the people of ``tests.people``, now that Django is set up."""
    session.config.pluginmanager.register(importlib.import_module("tests.people"), "people")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers."""
    running.close()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Whether to leave the test database behind: our own server goes away as a whole."""
    return "TEST_DATABASE_URL" not in os.environ


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """No test sees what another left in the cache: limits on guesses are counted there."""
    yield
    cache.clear()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium, and no talk with anybody but the site under test."""
    return {
        **browser_type_launch_args,
        "executable_path": CHROMIUM,
        "args": [
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    }
