"""The translations: whole, alike in what they fill in, and compiled; and the customer's site read in German."""

import ast
import gettext
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import pytest
from django.conf import settings as laurel_settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import translation
from django.utils.formats import date_format, number_format
from django.utils.translation.template import templatize
from time_machine import travel

from accounts.models import Brand, Customer
from loyalty.admin.rule_forms import ExactDecimal
from loyalty.pages.money import format_money
from scoring.documents import parse_rule_set
from scoring.words import points
from tests.browser.pages import OPEN, OWN, URLS, names_of
from tests.browser.story import tell_story
from tests.loyalty.test_admin_access import all_addresses, brands, clients
from tests.people import MONDAY, RULES, Person, join

__all__ = ["brands", "clients"]

TREE = Path(__file__).parent.parent
CATALOGUES = sorted(TREE.glob("locale/*/LC_MESSAGES/django.po"))
HOUR = timedelta(hours=1)


class Entry(NamedTuple):
    """One text of a catalogue: its context, the text, its plural, how it is translated, and its flags."""

    context: str
    text: str
    plural: str
    translations: tuple[str, ...]
    flags: str

    @property
    def key(self) -> tuple[str, str, bool]:
        return self.context, self.text, bool(self.plural)


def read_po(path: Path) -> list[Entry]:
    """The entries of a .po file, without its head."""
    entries = []
    for block in path.read_text().split("\n\n"):
        fields: dict[str, str] = {}
        name, flags = "", ""
        for line in block.splitlines():
            if line.startswith("#,"):
                flags += line
            elif line and not line.startswith("#"):
                if not line.startswith('"'):
                    name = line.split(" ", maxsplit=1)[0]
                text = ast.literal_eval(line.removeprefix(name))
                fields[name] = fields.get(name, "") + text
        if fields.get("msgid"):
            entries.append(
                Entry(
                    fields.get("msgctxt", ""),
                    fields["msgid"],
                    fields.get("msgid_plural", ""),
                    tuple(text for name, text in fields.items() if name.startswith("msgstr")),
                    flags,
                )
            )
    return entries


# --- the catalogues


def test_there_is_a_catalogue_for_each_language_that_has_words_of_its_own() -> None:
    languages = {code for code, _name in laurel_settings.LANGUAGES if not code.startswith("en")}
    assert {path.parts[-3] for path in CATALOGUES} == languages == {"de"}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_text_is_translated(path: Path) -> None:
    entries = read_po(path)
    assert len(entries) > 1000
    assert [one.text for one in entries if not all(one.translations)] == []
    assert [one.text for one in entries if "fuzzy" in one.flags] == []
    assert [one.text for one in entries if one.plural and len(one.translations) != 2] == []
    assert [one.text for one in entries if not one.plural and len(one.translations) != 1] == []
    assert "nplurals=2; plural=(n != 1);" in path.read_text()


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_translation_fills_in_what_its_text_fills_in(path: Path) -> None:
    def filled(text: str) -> set[str]:
        return set(re.findall(r"%\(\w+\)[sdr]|%[sdr]", text))

    def tags(text: str) -> list[str]:
        return sorted(re.findall(r"</?\w+", text))

    for one in read_po(path):
        # One of something may go without its number.
        least, most = filled(one.text), filled(one.text) | filled(one.plural)
        for text in one.translations:
            assert least & filled(one.plural or one.text) <= filled(text) <= most, (one.text, text)
            assert tags(text) == tags(one.text), (one.text, text)
            assert text.count("%%") == one.text.count("%%"), (one.text, text)
            assert text.endswith("\n") == one.text.endswith("\n"), (one.text, text)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_what_is_compiled_is_what_is_written(path: Path) -> None:
    written: dict[Any, str] = {}
    for one in read_po(path):
        text = f"{one.context}\x04{one.text}" if one.context else one.text
        if one.plural:
            written |= {(text, number): said for number, said in enumerate(one.translations)}
        else:
            written[text] = one.translations[0]
    with path.with_suffix(".mo").open("rb") as file:
        compiled: dict[Any, str] = dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
    compiled.pop("")
    assert compiled == written, "make messages"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_holds_the_texts_that_are_marked_and_no_others(path: Path) -> None:
    marked = set(marked_texts())
    held = {one.key for one in read_po(path)}
    assert marked - held == set(), "make messages"
    assert held - marked == set(), "make messages"


def test_a_catalogue_names_files_of_the_tree_and_nothing_else() -> None:
    for path in CATALOGUES:
        places = re.findall(r"^#: (.*)$", path.read_text(), re.MULTILINE)
        assert all((TREE / place).is_file() for line in places for place in line.split())


STRING = r""" u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*') """.strip()
MARKED = re.compile(
    rf"\b(p?gettext|n?gettext|_)\(\s*({STRING})(?:\s*,\s*({STRING}))?", flags=re.DOTALL
)


def marked_texts() -> Iterator[tuple[str, str, bool]]:
    """(context, text, whether it has a plural) of every text that Python files and templates mark for translation."""
    for folder in ("accounts", "scoring", "loyalty"):
        for path in (TREE / folder).rglob("*.py"):
            yield from _in_python(path.read_text())
    for path in (TREE / "templates").rglob("*"):
        if path.suffix in (".html", ".txt"):
            for name, *given in MARKED.findall(templatize(path.read_text())):
                texts = [ast.literal_eval(text) for text in given if text]
                yield _entry(name, texts)


def _in_python(source: str) -> Iterator[tuple[str, str, bool]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id.removesuffix("_lazy").removesuffix("_noop")
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if name in ("_", "gettext", "ngettext", "pgettext") and texts:
                yield _entry(name, texts)


def _entry(name: str, texts: list[Any]) -> tuple[str, str, bool]:
    if name == "pgettext":
        return texts[0], texts[1], False
    return "", texts[0], name == "ngettext"


# --- what is said


def test_german_has_its_plurals_numbers_dates_and_money() -> None:
    with translation.override("de"):
        assert points(1) == "1 Punkt"
        assert points(0) == "0 Punkte"
        assert points(1234) == "1.234 Punkte"
        assert number_format(Decimal("1234.5"), force_grouping=True) == "1.234,5"
        assert date_format(date(2026, 11, 24)) == "24. November 2026"
        assert date_format(date(2026, 11, 24), translation.gettext("l j F")) == (
            "Dienstag, 24. November"
        )
        assert format_money(Decimal("1234.5"), "EUR") == "1.234,50\N{NO-BREAK SPACE}€"
        assert format_money(Decimal("1234.5"), "SEK") == "1.234,50\N{NO-BREAK SPACE}SEK"
    with translation.override("en"):
        assert format_money(Decimal("1234.5"), "EUR") == "€1,234.50"
        assert format_money(Decimal("1234.5"), "SEK") == "SEK\N{NO-BREAK SPACE}1,234.50"


@pytest.mark.parametrize(
    ("rule", "english", "german"),
    [
        (
            {"type": "earn", "kinds": ["purchase"], "rate": "1"},
            "Purchase: 1 point for each GBP",
            "Purchase: 1 Punkt je GBP",
        ),
        (
            {"type": "earn", "kinds": ["usage"], "points": 1, "rate": "0.5"},
            "Brew: 1 point and 0.5 points for each unit (cups)",
            "Brew: 1 Punkt und 0,5 Punkte je Einheit (cups)",
        ),
        (
            {
                "type": "earn",
                "kinds": ["check_in"],
                "points": 1500,
                "conditions": [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
                "limits": [{"per": "day", "by": "venue", "count": 2}, {"per": "ever", "count": 1}],
            },
            (
                "Check-in on Saturday or Sunday: 1,500 points,"
                " at most 2 times a day and venue, at most once in all"
            ),
            (
                "Check-in am Samstag oder Sonntag: 1.500 Punkte,"
                " höchstens 2-mal am Tag und je Ort, insgesamt höchstens einmal"
            ),
        ),
        (
            {
                "type": "bonus",
                "kinds": ["purchase"],
                "percent": "12.5",
                "conditions": [{"field": "quantity", "op": "at_least", "value": "10"}],
            },
            "Purchase, when quantity is at least 10: +12.5\u202f% on the points earned",
            "Purchase, wenn Menge mindestens 10 ist: +12,5\u202f% auf die verdienten Punkte",
        ),
        (
            {
                "type": "combo",
                "source": "physical_visits",
                "per": "week",
                "points": 50,
                "requires": [
                    {"kinds": ["check_in"], "count": 2},
                    {"kinds": ["purchase"], "count": 1},
                ],
            },
            "2 × Check-in + Purchase in one week: 50 points",  # noqa: RUF001
            "2 × Check-in + Purchase in einer Woche: 50 Punkte",  # noqa: RUF001
        ),
        (
            {
                "type": "streak",
                "source": "physical_visits",
                "kinds": ["check_in"],
                "per": "week",
                "count": 2,
                "length": 4,
                "points": 1,
            },
            "Check-in, 4 weeks in a row (2 ×): 1 point",  # noqa: RUF001
            "Check-in, 4 Wochen in Folge (je 2 ×): 1 Punkt",  # noqa: RUF001
        ),
    ],
)
def test_a_rule_is_a_sentence_in_each_language(
    foxglove: Brand, rule: dict[str, Any], english: str, german: str
) -> None:
    document = RULES | {"rules": [{"key": "one", "title": "One", **rule}]}
    (stage,) = parse_rule_set(document, brand=foxglove).rules
    assert str(stage.sentence()) == english
    with translation.override("de"):
        assert str(stage.sentence()) == german


# --- the site


class Reading(HTMLParser):
    """What a page says to people, and what it says to programs: numbers, places and drawings."""

    SAID = ("alt", "aria-label", "content", "label", "placeholder", "title")
    # Of which words may be a part.
    WORDED = ("lang", "href", "src", "id", "data-outbox")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.values: list[tuple[str, str, str]] = []
        self.skipping = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # A quotation stays in the words, and in the language, in which it was said.
        if tag in ("script", "style", "blockquote"):
            self.skipping = tag
        attributes = dict(attrs)
        # Tokens of forms, and amounts that people may write in their own manner.
        is_free = attributes.get("type") == "hidden" or attributes.get("inputmode") == "decimal"
        for name, value in attributes.items():
            if name in self.SAID:
                self.said.append(value or "")
            elif name not in self.WORDED and not (name == "value" and is_free):
                self.values.append((tag, name, value or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self.skipping:
            self.skipping = ""

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self.said.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


@pytest.fixture
def story(foxglove: Brand, settings: Any) -> Iterator[Customer]:
    """A customer with something on every page, on a site with pages that go wrong."""
    settings.ROOT_URLCONF = URLS
    with travel(MONDAY + 8 * HOUR, tick=False):
        yield tell_story(foxglove, now=MONDAY + 8 * HOUR)


def pages(story: Customer, language: str) -> Iterator[tuple[str, str]]:
    """Every page as a reader of this language gets it, those with mistakes pointed out included."""
    names = names_of(story, now=MONDAY + 8 * HOUR)
    assert story.user
    for views, user in ((OPEN, None), (OWN, story.user)):
        client = Client(raise_request_exception=False, headers={"accept-language": language})
        if user:
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        for name, view in views.items():
            address = view.address.format(**names)
            response = client.get(address)
            if name.endswith("-wrong") and "?" not in address:
                response = client.post(address, {"do": "join"})
            assert response["Content-Language"] == language, name
            yield name, response.content.decode()


# What the brands and people of the story wrote themselves.
OWN_WORDS = (
    "Rhododendron Wanderer of the North",
    "1 point for every pound",
    "It could not be read",
    "Typed twice",
    "Brew at home",
    "Three shops",
    "Check in",
    "Laurel",
)
# Words that hardly an English sentence does without, and that no German one has.
ENGLISH = re.compile(
    r"\b(the|of|and|your|you|it|is|are|to|for|with|not|this|that|by|from|at|your|what|how|see|no|or|brand|kind|venue|channel|customer|user)\b",
    re.IGNORECASE,
)


def test_no_page_of_a_german_reader_has_english_left(story: Customer) -> None:
    """Neither a text that was never marked, nor one that is marked and came out as it was."""
    catalogue = [one for one in read_po(CATALOGUES[0]) if one.translations[0] != one.text]
    # The longer pieces of each text, between what is filled in.
    pieces = {
        piece.strip(): one.text
        for one in catalogue
        for piece in re.split(r"%\(\w+\)[sd]|<[^>]+>|%%", one.text)
        if len(piece.strip()) >= 12 and " " in piece.strip()
    }
    left = []
    for name, html in pages(story, "de"):
        text = unescape(Reading(html).text())
        for own in OWN_WORDS:
            text = text.replace(own, " ")
        left += [(name, piece) for piece in pieces if piece in text]
        left += [
            (name, text[max(0, found.start() - 40) : found.end() + 40])
            for found in ENGLISH.finditer(text)
        ]
    assert left == []


def test_staff_read_german_too(clients: dict[str, Client], brands: tuple[Brand, Brand]) -> None:
    zones = [zone.replace("_", " ") for zone in available_timezones()]
    # Drawn at random, and names in every language.
    names = Customer.objects.exclude(pseudonym="").values_list("pseudonym", flat=True)
    given = [*OWN_WORDS, *zones, *names]
    left = []
    for address in all_addresses(brands[0]):
        response = clients["operator"].get(address, headers={"accept-language": "de"})
        if response.status_code == 200 and "html" in response["Content-Type"]:
            text = unescape(Reading(response.content.decode()).text())
            for own in given:
                text = text.replace(own, " ")
            left += [
                (address, text[max(0, found.start() - 40) : found.end() + 40])
                for found in ENGLISH.finditer(text)
            ]
    assert left == []


def test_numbers_for_programs_are_the_same_in_every_language(story: Customer) -> None:
    german = dict(pages(story, "de"))
    for name, html in pages(story, "en"):
        assert Reading(german[name]).values == Reading(html).values, name


def test_a_browser_and_an_account_each_ask_for_german(customer: Person) -> None:
    assert 'lang="de"' in Client(headers={"accept-language": "de-AT"}).get("/").content.decode()
    assert 'lang="en"' in Client(headers={"accept-language": "fr"}).get("/").content.decode()
    client = customer.client()
    page = client.get("/b/foxglove/me").content.decode()
    assert '<option value="de">Deutsch</option>' in page
    assert '<option value="en">English</option>' in page
    answer = client.post("/b/foxglove/me", {"theme": "dark", "language": "de"}, follow=True)
    assert "wo immer du dich anmeldest" in answer.content.decode()
    assert "Dein Score" in client.get("/b/foxglove/score").content.decode()


def test_a_code_comes_in_the_language_that_it_was_asked_for_in(customer: Person) -> None:
    german = {"accept-language": "de"}
    Client(headers=german).post("/b/foxglove/join", {"email": "new@example.org"})
    Client(headers=german).post("/accounts/login/", {"login": customer.user.email})
    assert len(mail.outbox) == 2
    for message in mail.outbox:
        assert message.subject.startswith("Dein Code: ")
        assert "Tipp ihn auf der Seite ein" in message.body
        assert not ENGLISH.search(str(message.body))


def test_staff_write_numbers_as_their_language_does() -> None:
    assert ExactDecimal().clean("0.5") == "0.5"
    with translation.override("de"):
        assert ExactDecimal().clean("0,5") == ExactDecimal().clean("0.5") == "0.5"
        with pytest.raises(ValidationError, match="1 oder 0,5"):
            ExactDecimal().clean("0,5,1")
    with pytest.raises(ValidationError, match=r"1 or 0\.5"):
        ExactDecimal().clean("0,5")


def test_british_browsers_get_their_own_dates(foxglove: Brand) -> None:
    with travel(MONDAY + 8 * HOUR, tick=False):
        client = join(foxglove, "ash@example.org").client()
        british = client.get("/b/foxglove/known", headers={"accept-language": "en-GB"})
        assert "23 November 2026" in british.content.decode()
