"""Money as people write it: read generously, written in the reader's manner."""

import re
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

SYMBOLS = {
    "AUD": "A$",
    "BRL": "R$",
    "CAD": "CA$",
    "CNY": "CN¥",
    "EUR": "€",
    "GBP": "£",
    "ILS": "₪",
    "INR": "₹",
    "JPY": "¥",
    "KRW": "₩",
    "MXN": "MX$",
    "NZD": "NZ$",
    "TRY": "₺",
    "UAH": "₴",
    "USD": "$",
    "VND": "₫",
}
# ISO 4217: the currencies whose smallest coin is not a hundredth.
PLACES = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
LONE_GROUP = 6
AMOUNT = re.compile(
    r"^(?P<whole>\d{1,3}(?:(?P<group>[ .,'])\d{3})(?:(?P=group)\d{3})*|\d+)(?:[.,](?P<part>\d+))?$"
)


def currency_places(currency: str) -> int:
    """How many decimals an amount of the currency has."""
    return PLACES.get(currency, 2)


def currency_symbol(currency: str) -> str:
    """What stands before an amount: a symbol, or the currency's three letters."""
    return SYMBOLS.get(currency, currency)


def format_money(amount: Decimal, currency: str) -> str:
    """An amount with its currency, such as £24.90 or SEK 120.00, and where the language says so 24,90 £."""
    words = {
        "currency": currency_symbol(currency),
        "amount": number_format(amount, currency_places(currency), force_grouping=True),
    }
    if words["currency"][-1].isalpha():
        return _("%(currency)s %(amount)s") % words  # noqa: RUF001
    return _("%(currency)s%(amount)s") % words


def parse_money(text: str, currency: str) -> Decimal | None:
    """The amount that somebody typed, with point or comma and with or without the currency.

    None for what is no amount, has more decimals than the currency, or could be read in two ways.
    """
    symbol = currency_symbol(currency)
    bare = (
        text.strip()
        .replace("\N{NO-BREAK SPACE}", " ")
        .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )
    for mark in (symbol, currency, currency.lower()):
        bare = bare.removeprefix(mark).removesuffix(mark).strip()
    return parse_number(bare, places=currency_places(currency))


def parse_number(text: str, *, places: int) -> Decimal | None:
    """The number that somebody typed, with point or comma, not below 0.

    None for what is no number, has more decimals than ``places``, or could be read in two ways.
    """
    match = AMOUNT.match(text.strip())
    if match is None:
        return None
    whole, part = re.sub(r"\D", "", match["whole"]), match["part"] or ""
    if places and not part and match["group"] in (".", ",") and len(whole) <= LONE_GROUP:
        # 1.234 may be a thousand or one and a bit.
        return None
    return Decimal(f"{whole}.{part or 0}") if len(part) <= places else None
