"""Setting a brand up from its description: the ``brand`` object that the set-up command reads."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import CURRENCY_PATTERN, HEX_COLOUR_PATTERN, Brand

from .documents import RuleSetError
from .models import KEY_PATTERN, Action, ActionKind, Rule, Source, Venue
from .problems import Problem, Reader
from .publication import current_document
from .vocabulary import ATTRIBUTE_TYPES


class BrandError(ValueError):
    """A description of a brand that cannot be used; ``problems`` lists (place, reason), all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = [(problem.place, problem.reason) for problem in problems]


@transaction.atomic
def setup_brand(*, document: Any) -> Brand:
    """Create a brand, or bring an existing one of the same slug up to date.

    Kinds and venues that the document leaves out stay. Raises BrandError with every problem and its
    place, and then nothing changes.
    """
    problems: list[Problem] = []
    reader = Reader.of("", document, problems)
    slug = reader.text("slug", longest=50)
    if slug and not KEY_PATTERN.fullmatch(slug):
        reader.problem("slug", _("use small letters, digits, hyphens and underscores"))
    name = reader.text("name", longest=100)
    time_zone = reader.text("time_zone")
    if time_zone and time_zone not in available_timezones():
        reader.problem(
            "time_zone", _("there is no time zone %(time_zone)r") % {"time_zone": time_zone}
        )
    currency = reader.text("currency")
    if currency and not CURRENCY_PATTERN.fullmatch(currency):
        reader.problem(
            "currency",
            _("must be three capitals (ISO 4217); it is %(currency)r") % {"currency": currency},
        )
    promise = reader.get("promise", "")
    colour = reader.get("colour")
    if colour is not None and not (
        isinstance(colour, str) and HEX_COLOUR_PATTERN.fullmatch(colour)
    ):
        reader.problem(
            "colour", _("must be # and six hex digits; it is %(colour)r") % {"colour": colour}
        )
    kinds = [_kind(Reader.of(place, item, problems)) for place, item in reader.items("kinds")]
    venues = [_venue(Reader.of(place, item, problems)) for place, item in reader.items("venues")]
    reader.done()
    brand = Brand.objects.select_for_update().filter(slug=slug).first()
    if brand is not None:
        _check_lasting(brand, time_zone, currency, kinds, problems)
    if problems:
        raise BrandError(problems)
    values = {"name": name, "time_zone": time_zone, "currency": currency}
    if promise:
        values["promise"] = str(promise)
    if colour is not None:
        values["colour"] = colour
    brand, _is_new = Brand.objects.update_or_create(slug=slug, defaults=values)
    for _place, kind in kinds:
        ActionKind.objects.update_or_create(brand=brand, slug=kind.pop("slug"), defaults=kind)
    for venue in venues:
        Venue.objects.update_or_create(brand=brand, slug=venue.pop("slug"), defaults=venue)
    _check_rules(brand)
    return brand


def _check_rules(brand: Brand) -> None:
    """What is in force must still read with the kinds as they are now; else BrandError."""
    try:
        current_document(brand=brand)
    except RuleSetError as error:
        raise BrandError(
            [
                Problem(
                    "kinds",
                    _("the rules in force need them as they were (%(place)s: %(reason)s)")
                    % {"place": place, "reason": reason},
                )
                for place, reason in error.problems
            ]
        ) from error


def _kind(reader: Reader) -> tuple[str, dict[str, Any]]:
    source = Source.from_slug(reader.choice("source", [source.slug for source in Source]))
    attributes = reader.get("attributes", {})
    if not isinstance(attributes, Mapping):
        reader.problem("attributes", _("this must be an object"))
        attributes = {}
    for name, declared in attributes.items():
        place = f"attributes.{name}"
        if isinstance(declared, Mapping):
            choices = declared.get("choice")
            if (
                set(declared) != {"choice"}
                or not isinstance(choices, list)
                or not choices
                or not all(isinstance(choice, str) and choice for choice in choices)
            ):
                reader.problem(place, _('a choice looks like {"choice": ["S", "M"]}'))
        elif declared not in ATTRIBUTE_TYPES:
            reader.problem(
                place,
                _("must be one of %(choices)s or a choice; it is %(declared)r")
                % {"choices": ", ".join(ATTRIBUTE_TYPES), "declared": declared},
            )
    kind: dict[str, Any] = {
        "slug": _slug(reader),
        "source": source.value,
        "unit": str(reader.get("unit", "")),
        "attributes": dict(attributes),
    }
    kind["label"] = reader.text("label", default=kind["slug"], longest=100)
    reader.done()
    return reader.place, kind


def _venue(reader: Reader) -> dict[str, Any]:
    venue: dict[str, Any] = {"slug": _slug(reader), "name": reader.text("name", longest=100)}
    code = reader.get("check_in_code")
    if code is not None:
        venue["check_in_code"] = str(code)
    reader.done()
    return venue


def _slug(reader: Reader) -> str:
    slug = reader.text("slug", longest=64)
    if slug and not KEY_PATTERN.fullmatch(slug):
        reader.problem("slug", _("use small letters, digits, hyphens and underscores"))
    return slug


def _check_lasting(
    brand: Brand,
    time_zone: str,
    currency: str,
    kinds: list[tuple[str, dict[str, Any]]],
    problems: list[Problem],
) -> None:
    """What actions already carry cannot change under them."""
    has_actions = Action.objects.filter(brand=brand).exists()
    if has_actions and time_zone != brand.time_zone:
        problems.append(
            Problem(
                "time_zone",
                _("the brand has actions, whose local dates follow %(time_zone)s")
                % {"time_zone": brand.time_zone},
            )
        )
    if has_actions and currency != brand.currency:
        problems.append(
            Problem(
                "currency",
                _("the brand has actions in %(currency)s") % {"currency": brand.currency},
            )
        )
    present = {kind.slug: kind for kind in ActionKind.objects.filter(brand=brand)}
    for place, kind in kinds:
        known = present.get(kind["slug"])
        if known is None:
            continue
        is_used = Action.objects.filter(identifier__brand=brand, kind=known).exists()
        is_ruled = Rule.objects.filter(
            rule_set__brand=brand, rule_set__version__isnull=False
        ).exists()
        if (is_used or is_ruled) and known.source != kind["source"]:
            problems.append(
                Problem(
                    f"{place}.source",
                    _("%(kind)s already earns for %(source)s")
                    % {"kind": known.slug, "source": Source(known.source).slug},
                )
            )
        for name, declared in known.attributes.items():
            now = kind["attributes"].get(name)
            if is_used and _type_of(now) != _type_of(declared):
                problems.append(
                    Problem(
                        f"{place}.attributes.{name}",
                        _("actions already carry it as %(type)s") % {"type": _type_of(declared)},
                    )
                )


def _type_of(declared: Any) -> str:
    if declared is None:
        return "nothing"
    return "choice" if isinstance(declared, Mapping) else str(declared)
