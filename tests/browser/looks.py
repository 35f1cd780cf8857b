"""What is wrong with how a page looks: what axe finds, and what does not fit."""

from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Of these only those rules depend on the colours, the page being the same.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
# And these on where things stand.
LAYOUT_RULES = [*COLOUR_RULES, "target-size"]

axe = Axe()

# Text that leaves the window, is cut off by its box, or lies on other text. What is fixed or sticky lies on others
# on purpose, and what only screen readers find has no size.
MISFITS = """() => {
    const found = [];
    const say = (what, node) => found.push(`${what}: ${node.data.trim().slice(0, 40)}`);
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 0) found.push(`the page is ${wide} pixels wider than the window`);
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode, parent = node.parentElement;
        if (!node.data.trim() || parent.closest("script, style, option, svg, .unseen, .skip")) continue;
        if (!parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        let floats = false, scrolls = false;
        for (let box = parent; box && box !== document.body; box = box.parentElement) {
            const { position, overflowX, overflowY } = getComputedStyle(box);
            floats ||= ["fixed", "sticky"].includes(position);
            scrolls ||= ["auto", "scroll"].includes(overflowX);
            if (/hidden|clip/.test(overflowX) && box.scrollWidth > box.clientWidth + 1) say("cut off", node);
            if (/hidden|clip/.test(overflowY) && box.scrollHeight > box.clientHeight + 1) say("cut off", node);
        }
        for (const rect of range.getClientRects()) {
            if (rect.width < 2 || rect.height < 2) continue;
            if (!scrolls && (rect.left < -1 || rect.right > innerWidth + 1)) say("outside", node);
            if (!floats && !scrolls) texts.push({ node, rect });
        }
    }
    texts.sort((one, other) => one.rect.top - other.rect.top);
    texts.forEach((one, place) => {
        for (let next = place + 1; next < texts.length; next++) {
            const other = texts[next];
            if (other.rect.top >= one.rect.bottom) break;
            if (other.node === one.node) continue;
            const across = Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
            // A line's box is taller than its letters.
            const down = Math.min(one.rect.bottom, other.rect.bottom) - other.rect.top;
            if (across > 2 && down > 0.35 * Math.min(one.rect.height, other.rect.height)) {
                say(`on "${other.node.data.trim().slice(0, 20)}"`, one.node);
            }
        }
    });
    return [...new Set(found)];
}"""


def violations(page: Page, *, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds on a page, of the rules or of all that WCAG 2.2 AA asks for."""
    only = (
        {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(TAGS)}
    )
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.axe_script)
    results = page.evaluate(
        "options => axe.run(options)", {"runOnly": only, "resultTypes": ["violations"]}
    )
    assert rules or results["passes"], "axe saw nothing"
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]


def misfits(page: Page) -> list[str]:
    """What does not fit on a page as wide as it is."""
    found: list[str] = page.evaluate(MISFITS)
    return found


def use_big_text(page: Page, percent: int) -> None:
    """Let the browser's own text size be this, as a reader sets it; 100 is as it comes. Holds for the page's life."""
    session = page.context.new_cdp_session(page)
    size = 16 * percent // 100
    session.send("Page.setFontSizes", {"fontSizes": {"standard": size, "fixed": size}})
