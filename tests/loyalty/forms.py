"""Forms as a browser sends them: what a page holds, with some inputs changed."""

from html.parser import HTMLParser
from typing import Any


class Form(HTMLParser):
    """Reads the inputs of one form of a page, as a browser without scripts would send them."""

    def __init__(self, html: str, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.inside = False
        self.data: dict[str, list[str]] = {}
        self.select: str | None = None
        self.chosen: str | None = None
        self.first: str | None = None
        self.textarea: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = at.get("id") == self.form_id
        name = at.get("name", "")
        if not self.inside or "disabled" in at:
            return
        if tag == "input" and name:
            kind = at.get("type", "text")
            if kind in {"checkbox", "radio"}:
                if "checked" in at:
                    self.data.setdefault(name, []).append(at.get("value", "on"))
            elif kind not in {"submit", "button"}:
                self.data.setdefault(name, []).append(at.get("value", ""))
        elif tag == "select":
            self.select, self.chosen, self.first = name, None, None
        elif tag == "option" and self.select:
            value = at.get("value", "")
            self.first = value if self.first is None else self.first
            if "selected" in at:
                self.chosen = value
        elif tag == "textarea":
            self.textarea = name
            self.data[name] = [""]

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.data[self.textarea][0] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select" and self.select:
            value = self.chosen if self.chosen is not None else self.first
            self.data.setdefault(self.select, []).append(value or "")
            self.select = None
        elif tag == "textarea":
            self.textarea = None


def sent(html: str, form_id: str, **changes: Any) -> dict[str, Any]:
    """What the form of that id sends once some inputs were changed; a list ticks several boxes."""
    data: dict[str, Any] = dict(Form(html, form_id).data)
    assert data, f"the page has no form {form_id!r}"
    data.update(changes)
    return data
