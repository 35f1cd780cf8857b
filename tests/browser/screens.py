"""Pictures of every page, on a phone and on a desk, in light and in dark.

    make screens                                   all of them
    python -m tests.browser.screens score badges   only these

They are of the demo brand in LAUREL_HOME, which is made or brought up to date first, and go to its
folder ``screens``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from playwright.sync_api import BrowserContext, sync_playwright

from loyalty import embedded

FOLDER = embedded.default_home() / "screens"


@contextmanager
def serving() -> Iterator[str]:
    """The site on a port of its own, in a thread; gives its address."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def take(context: BrowserContext, url: str, addresses: dict[str, str], ending: str) -> None:
    """One picture of each page, in its whole length."""
    for name, address in addresses.items():
        page = context.new_page()
        page.goto(url + address)
        page.evaluate("document.fonts.ready")
        # As tall as the page, so that what is fixed to the window's end stands at the page's end.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})  # type: ignore[index]
        page.screenshot(path=FOLDER / f"{name}-{ending}.png", full_page=True)
        page.close()


def main(wanted: list[str]) -> None:
    """Take the pictures of the pages that are wanted, or of all."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
    os.environ.setdefault("LAUREL_DEMO", "true")
    os.environ.setdefault("SECRET_KEY", embedded.local_secret(embedded.default_home()))
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    embedded.ensure(start=True)
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.models import Customer
    from loyalty.demo.people import CUSTOMER
    from scoring.models import Action
    from tests.browser.pages import OPEN, OWN, WIDTHS, session_cookie
    from tests.conftest import CHROMIUM

    call_command("migrate", verbosity=0)
    call_command("demo")
    customer = Customer.objects.select_related("brand", "user").get(
        user__email=CUSTOMER.email, brand__slug="foxglove"
    )
    assert customer.user
    action = (
        Action.objects.filter(identifier__customer=customer, kind__slug="purchase")
        .exclude(state="pending")
        .latest("occurred_at")
    )

    def addresses(pages: dict[str, str]) -> dict[str, str]:
        return {
            name: address.format(slug=customer.brand.slug, action=action.pk)
            for name, address in pages.items()
            if not wanted or name in wanted
        }

    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width, (wide, high) in WIDTHS.items():
            for scheme in ("light", "dark"):
                for pages in (OPEN, OWN):
                    context = browser.new_context(
                        viewport={"width": wide, "height": high},
                        device_scale_factor=2 if width == "phone" else 1,
                        color_scheme="dark" if scheme == "dark" else "light",
                        reduced_motion="reduce",
                        locale="en-GB",
                    )
                    if pages is OWN:
                        context.add_cookies([session_cookie(customer.user, url=url)])
                    take(context, url, addresses(pages), f"{width}-{scheme}")
                    context.close()
        browser.close()
    print(f"The pictures are in {FOLDER}.")


if __name__ == "__main__":
    main(sys.argv[1:])
