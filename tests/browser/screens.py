"""Pictures of every page of two brands, on a phone and on a desk, in light and in dark.

    make screens                                   all of them
    python -m tests.browser.screens score badges   only these

They are of the demo in LAUREL_HOME, which is made or brought up to date first, and go to its folder ``screens``.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, Page, sync_playwright

from loyalty import embedded

if TYPE_CHECKING:
    from accounts.models import Customer

FOLDER = embedded.default_home() / "screens"


def main(wanted: list[str]) -> None:
    """Take the pictures of the pages that are wanted, or of all."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
    os.environ.setdefault("LAUREL_DEMO", "true")
    os.environ.setdefault("LAUREL_LOG_LEVEL", "CRITICAL")  # some pages go wrong on purpose
    os.environ.setdefault("SECRET_KEY", embedded.local_secret(embedded.default_home()))
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    embedded.ensure(start=True)
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from accounts.models import Customer
    from loyalty.demo import foxglove, harbour
    from loyalty.demo.people import CUSTOMER
    from tests.browser.pages import URLS, serving
    from tests.conftest import CHROMIUM

    settings.ROOT_URLCONF = URLS
    call_command("migrate", verbosity=0)
    call_command("demo")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for slug in (foxglove.SLUG, harbour.SLUG):
            members = Customer.objects.select_related("brand", "user").filter(brand__slug=slug)
            take(browser, url, members.get(user__email=CUSTOMER.email), wanted)
        browser.close()
    print(f"The pictures are in {FOLDER}.")


def take(browser: Browser, url: str, customer: "Customer", wanted: list[str]) -> None:
    """The pictures of one brand; what its customer does not have is left out."""
    from django.utils import timezone

    from tests.browser.pages import OPEN, OWN, WIDTHS, names_of, session_cookie

    assert customer.user
    names = names_of(customer, now=timezone.now())
    for width, size in WIDTHS.items():
        for views in (OPEN, OWN):
            context = browser.new_context(
                device_scale_factor=2 if width == "phone" else 1,
                reduced_motion="reduce",
                locale="en-GB",
                service_workers="block",
            )
            if views is OWN:
                context.add_cookies([session_cookie(customer.user, url=url)])
            page = context.new_page()
            for name, view in views.items():
                if (wanted and name not in wanted) or not view.is_there(names):
                    continue
                page.set_viewport_size({"width": size[0], "height": size[1]})
                page.goto(url + view.address.format(**names))
                view.then(page)
                picture(page, f"{customer.brand.slug}-{name}-{width}")
            context.close()


def picture(page: Page, name: str) -> None:
    """A page in its whole length, in light and in dark."""
    page.evaluate("document.fonts.ready")
    # As tall as the page, so that what is fixed to the window's end stands at the page's end.
    size: Any = page.viewport_size
    size["height"] = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size(size)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        page.screenshot(path=FOLDER / f"{name}-{scheme}.png", full_page=True)
    page.emulate_media(color_scheme="light")


if __name__ == "__main__":
    main(sys.argv[1:])
