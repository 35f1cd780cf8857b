"""Ways to use the site: with a finger or a keyboard, with and without scripts, in big text, from right to left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from tests.browser.looks import misfits, use_big_text
from tests.browser.pages import WIDTHS
from tests.browser.site import wait_until

MOST_STOPS = 60
# Whether what is focused is marked, and not hidden behind something else. A field that lies unseen under its label
# is marked by that.
IS_SEEN = """() => {
    const focused = document.activeElement;
    const boxes = [focused, focused.closest("label"), focused.closest(".segments")].filter(Boolean);
    const marked = boxes.find((box) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(box);
        return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    });
    if (!marked) return false;
    const { left, right, top, bottom } = marked.getBoundingClientRect();
    const points = [[left + 2, top + 2], [right - 2, top + 2], [left + 2, bottom - 2], [right - 2, bottom - 2],
        [(left + right) / 2, (top + bottom) / 2]];
    return points.some(([x, y]) => {
        const on = document.elementFromPoint(x, y);
        return on && (marked.contains(on) || on.contains(marked));
    });
}"""


@dataclass(frozen=True)
class Hand:
    """A way to use the site."""

    size: tuple[int, int] = WIDTHS["phone"]
    has_scripts: bool = True
    by_keyboard: bool = False
    text: int = 100
    is_measured: bool = False
    """Whether each page must fit."""
    from_right: bool = False

    @contextmanager
    def hold(self, browser: Browser, settings: Any) -> Iterator["Holding"]:
        """A page of one's own, used in this way."""
        if self.from_right:
            settings.LANGUAGES_BIDI = ["en"]
        width, height = self.size
        context = browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=self.has_scripts,
            locale="en-GB",
        )
        page = context.new_page()
        page.set_default_timeout(15_000)
        if self.text != 100:
            use_big_text(page, self.text)
        yield Holding(self, page)
        context.close()


HANDS = {
    "finger": Hand(),
    "no scripts": Hand(has_scripts=False),
    "keyboard": Hand(size=WIDTHS["desk"], by_keyboard=True),
    "small phone, big text": Hand(size=(320, 568), text=200, is_measured=True),
    "right to left": Hand(is_measured=True, from_right=True),
}


@dataclass(frozen=True)
class Holding:
    """A page in a hand."""

    hand: Hand
    page: Page

    def press(self, target: Locator) -> None:
        """Follow a link or press a button."""
        if self.hand.by_keyboard:
            self._reach(target)
            self.page.keyboard.press("Enter")
        else:
            target.click()

    def type(self, field: Locator, text: str) -> None:
        """Write into a field that is empty."""
        if self.hand.by_keyboard:
            self._reach(field)
            self.page.keyboard.type(text)
        else:
            field.fill(text)

    def choose(self, field: Locator, option: str) -> None:
        """Choose from a list."""
        if self.hand.by_keyboard:
            self._reach(field)
            # A list goes to what begins like this.
            self.page.keyboard.type(option)
        else:
            field.select_option(option)

    def tick(self, box: Locator) -> None:
        """Tick a box."""
        if self.hand.by_keyboard:
            self._reach(box)
            self.page.keyboard.press("Space")
        else:
            box.check()

    def look(self) -> None:
        """See that everything on the page fits, where that is what this is about."""
        if self.hand.is_measured:
            assert misfits(self.page) == [], self.page.url
        if self.hand.from_right:
            assert self.page.locator("html").get_attribute("dir") == "rtl"

    def _is_seen(self) -> bool:
        return bool(self.page.evaluate(IS_SEEN))

    def _reach(self, target: Locator) -> None:
        """Tab on until it is focused; every stop on the way can be seen."""
        target.wait_for()
        self.page.wait_for_load_state("load")
        for _stop in range(MOST_STOPS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement === document.body"):
                continue
            what = self.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            # A page that has just come in its turn may not wear its styles yet.
            wait_until(self._is_seen, f"a mark on what is focused: {what}")
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"not reached by keyboard: {target}")
