"""The names under which customers appear to others: which ones will do, and how they come and go.

A name is refused that says too much of a person (an address, a telephone number), that could be taken for the brand
or those who work there, that is obscene, or that somebody of the brand has. Look-alike letters count as the letters
they look like. The word lists are short on purpose: staff read the boards too.
"""

import random
import re
import unicodedata
from itertools import groupby

from django.db import transaction
from django.db.models import Func, TextField, Value
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .models import Brand, Customer
from .words import (
    OBSCENE_AS_A_WORD,
    OBSCENE_IN_ANY_WORD,
    PSEUDONYM_ADJECTIVES,
    PSEUDONYM_NOUNS,
    STAFF_WORDS,
)

SHORTEST = 3
LONGEST = 40
DIGITS_MOST = 4
# So many pseudonyms are tried before a number is added to one.
PROPOSALS = 20

_ALLOWED = re.compile(r"[^\W_]+(?:[ .'\u2019-]+[^\W_]+)*\.?")
_ADDRESS = re.compile(r"@|\bat\b.*\bdot\b|\.\w{2,}", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
# Alphabets whose letters are taken for one another's. No name mixes one of them with any other.
_ALIKE = {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE"}
# Cyrillic, Greek and digits that are read as a Latin letter at a glance.
_LOOKS_LIKE = {
    ord(one): letter
    for letter, alike in {
        "a": "\u0430\u03b14",
        "b": "\u03b28",
        "c": "\u0441",
        "d": "\u0501\u0111",
        "e": "\u0435\u03b53",
        "g": "69",
        "h": "\u043d\u04bb",
        "i": "\u0456\u03b9\u01311",
        "j": "\u0458",
        "k": "\u043a\u03ba",
        "l": "\u0142",
        "m": "\u043c",
        "n": "\u043f\u03b7",
        "o": "\u043e\u03bf\u00f80",
        "p": "\u0440\u03c1",
        "q": "\u051b",
        "r": "\u0433",
        "s": "\u04555",
        "t": "\u0442\u03c47",
        "u": "\u03c5",
        "v": "\u03bd",
        "w": "\u051d",
        "x": "\u0445\u03c7",
        "y": "\u0443\u03b3",
        "z": "2",
    }.items()
    for one in alike
}


# Digits are what tells many a name from another, so "Fox 6" and "Fox 9" are two.
_LETTERS = {chr(one): letter for one, letter in _LOOKS_LIKE.items() if not chr(one).isdigit()}


class _AtAGlance(Func):
    """In SQL, a name as it looks: small letters without accents, look-alikes as what they look like."""

    template = (
        "translate(regexp_replace(normalize(lower(%(expressions)s), NFKD), '[\u0300-\u036f]', '', 'g'), "
        f"'{''.join(_LETTERS)}', '{''.join(_LETTERS.values())}')"
    )
    output_field = TextField()


def _drawn_out(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, with each letter as often as it stands there or oftener: “staaafff”, not “staf”."""
    return re.compile(
        "|".join(
            "".join(f"{letter}{{{len(list(run))},}}" for letter, run in groupby(word))
            for word in words
        )
    )


_STAFF = _drawn_out(STAFF_WORDS)
_IN_ANY_WORD = _drawn_out(OBSCENE_IN_ANY_WORD)
_AS_A_WORD = _drawn_out(OBSCENE_AS_A_WORD)


class PseudonymError(ValueError):
    """A name that will not do; ``sentence`` says why, for the person who chose it."""

    def __init__(self, sentence: str | Promise) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


def clean_pseudonym(*, brand: Brand, name: str) -> str:
    """The name as it is kept: composed, with single spaces. Raises PseudonymError for one that will not do."""
    name = " ".join(unicodedata.normalize("NFKC", name).split())
    if sum(letter.isalpha() for letter in name) < SHORTEST:
        raise PseudonymError(_("Use at least 3 letters"))
    if len(name) > LONGEST:
        raise PseudonymError(_("Use at most 40 letters"))
    if _ADDRESS.search(name):
        raise PseudonymError(_("Choose a name that is no address"))
    if sum(letter.isdigit() for letter in name) > DIGITS_MOST:
        raise PseudonymError(
            _("Use at most 4 digits, so that nobody takes it for a number to call")
        )
    if not _ALLOWED.fullmatch(name):
        raise PseudonymError(_("Use letters, digits and spaces only"))
    alphabets = {
        unicodedata.name(letter, "").partition(" ")[0] for letter in name if letter.isalpha()
    }
    if len(alphabets) > 1 and alphabets & _ALIKE:
        raise PseudonymError(_("Use letters of one alphabet"))
    words = _words(name)
    if _poses(words, brand):
        raise PseudonymError(
            _("Choose a name that nobody takes for the brand or the people who work there")
        )
    if any(_IN_ANY_WORD.search(word) or _is_one_of(_AS_A_WORD, word) for word in words):
        raise PseudonymError(_("Choose another name: others read it too"))
    return name


def _is_one_of(words: re.Pattern[str], word: str) -> bool:
    """Whether a word is one of these, or the plural of one."""
    return bool(words.fullmatch(word) or words.fullmatch(word.removesuffix("s")))


def fold(text: str) -> str:
    """A text as it looks at a glance: small letters without accents, look-alikes as what they look like."""
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(letter)
    )
    return bare.translate(_LOOKS_LIKE)


def _words(name: str) -> list[str]:
    """The folded words of a name; letters that stand alone are read together: “s t a f f”."""
    words: list[str] = []
    spelt = ""
    for word in [*_WORD.findall(fold(name)), ""]:
        if len(word) == 1:
            spelt += word
            continue
        words += [one for one in (spelt, word) if one]
        spelt = ""
    return words


def _poses(words: list[str], brand: Brand) -> bool:
    """Whether the words can be taken for the brand or for its staff."""
    whole = "".join(words)
    own = {"".join(_WORD.findall(fold(name))) for name in (brand.name, brand.slug)}
    if any(one in words or (len(one) > 3 and one in whole) for one in own if one):
        return True
    return any(_is_one_of(_STAFF, word) for word in words)


def propose_pseudonym(*, seed: str) -> str:
    """A pseudonym such as “Quiet Heron”; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  # a name that anybody may see is no secret
    return f"{chance.choice(PSEUDONYM_ADJECTIVES)} {chance.choice(PSEUDONYM_NOUNS)}"


def propose_free_pseudonym(*, customer: Customer) -> str:
    """The customer's own pseudonym, or where it is another's or there is none, one that nobody has now."""
    names = [
        propose_pseudonym(seed=f"{customer.public_id}{turn or ''}") for turn in range(PROPOSALS)
    ]
    if customer.pseudonym:
        names.insert(0, customer.pseudonym)
    taken = set(
        Customer.objects.filter(brand_id=customer.brand_id, pseudonym__in=names)
        .exclude(pk=customer.pk)
        .values_list("pseudonym", flat=True)
    )
    free = (name for name in names if name not in taken)
    return next(free, f"{names[-1]} {customer.public_id.int % 10_000}")


@transaction.atomic
def join_boards(*, customer: Customer, name: str) -> Customer:
    """Let a customer appear on the boards of their brand under a name, or change it; may run twice.

    Raises PseudonymError for a name that will not do, or that somebody else has: however it is capitalised, and on the
    boards also with other accents or letters that look alike.
    """
    name = clean_pseudonym(brand=customer.brand, name=name)
    # The brand's row is the lock: two who choose one name at once do not both get it.
    Brand.objects.select_for_update(no_key=True).get(pk=customer.brand_id)
    others = Customer.objects.filter(brand_id=customer.brand_id).exclude(pk=customer.pk)
    # Grain: one member. Index: customer_boards.
    looks_same = others.filter(on_boards=True).alias(look=_AtAGlance("pseudonym"))
    if (
        others.filter(pseudonym__iexact=name).exists()
        or looks_same.filter(look=_AtAGlance(Value(name))).exists()
    ):
        raise PseudonymError(_("Somebody else has this pseudonym"))
    customer.pseudonym, customer.on_boards = name, True
    customer.save(update_fields=["pseudonym", "on_boards"])
    return customer


def leave_boards(*, customer: Customer) -> None:
    """Take a customer off every board, those of the past included, at once; may run twice."""
    customer.on_boards = False
    customer.save(update_fields=["on_boards"])
