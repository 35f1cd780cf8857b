"""How identifiers read to people: the word for their scheme, and what is shown of one to whom it does not concern."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.identity import OWN_SCHEME

SCHEMES: dict[str, Promise] = {
    OWN_SCHEME: _("Laurel number"),
    "email": _("E-mail"),
    "phone": _("Phone"),
    "card": _("Card"),
    "device": _("Device"),
}
HIDDEN = "\N{BULLET}\N{BULLET}\N{BULLET}"


def scheme_word(scheme: str) -> str:
    """What kind of identifier it is, in a word; a network's scheme is its name."""
    return str(SCHEMES.get(scheme) or scheme.capitalize())


def masked(scheme: str, value: str) -> str:
    """Enough of an identifier for somebody who has it before them to know it again, and no more."""
    if scheme == "email":
        name, at, host = value.partition("@")
        return f"{name[:1]}{HIDDEN}{at}{host}"
    if scheme == OWN_SCHEME:
        return value[:8]
    # Of a short one hardly anything may show: what is hidden must be more than what is not.
    shown = min(4, max(1, len(value) // 3))
    return f"{HIDDEN}{value[-shown:]}"
