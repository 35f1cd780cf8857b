"""Records: facts as plain values, on their way into ``record_actions`` (docs/scoring.md, “Records”)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from accounts.identity import IdentifierError, parse_identifier

from .problems import QUANTITY_MAX, decimal_places, read_date, read_decimal, read_moment, unstorable
from .vocabulary import Kind, Vocabulary, attribute_type

# How far ahead of ours a reporting system's clock may be.
FUTURE_MAX = timedelta(minutes=5)


class RecordError(ValueError):
    """A record that cannot be taken: ``field`` is where, ``reason`` a sentence."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action as a door hands it in. ``kind`` and ``venue`` are slugs, ``identifier`` is ``scheme:value``."""

    type: ClassVar[str] = "action"

    origin: str
    external_id: str
    identifier: str
    kind: str
    occurred_at: datetime
    quantity: Decimal | None = None
    channel: str | None = None
    venue: str | None = None
    attributes: Mapping[str, Any] | None = None
    state: str = "accepted"
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """A new quantity for an action of the same origin, ``action`` being its external id there."""

    type: ClassVar[str] = "correction"

    origin: str
    external_id: str
    action: str
    quantity: Decimal
    at: datetime
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class VoidRow:
    """That an action no longer counts; final."""

    type: ClassVar[str] = "void"

    origin: str
    external_id: str
    action: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """What a review decided of a pending action."""

    type: ClassVar[str] = "decision"

    origin: str
    external_id: str
    action: str
    accepted: bool
    at: datetime
    reason: str = ""


AmendmentRow = CorrectionRow | VoidRow | DecisionRow
Row = ActionRow | AmendmentRow

_KEYS = {
    "action": {
        "type",
        "origin",
        "external_id",
        "identifier",
        "kind",
        "occurred_at",
        "quantity",
        "currency",
        "channel",
        "venue",
        "attributes",
        "state",
    },
    "correction": {
        "type",
        "origin",
        "external_id",
        "action",
        "quantity",
        "currency",
        "corrected_at",
    },
    "void": {"type", "origin", "external_id", "action", "reason", "at"},
    "decision": {"type", "origin", "external_id", "action", "accepted", "at", "reason"},
}


def parse_record(raw: Any) -> Row:
    """One object of a records file as a row. Raises RecordError that names the field and says why.

    What a brand knows (kinds, venues, attributes) is checked by ``record_actions``.
    """
    if not isinstance(raw, Mapping):
        raise RecordError("record", _("a record is an object"))
    record_type = raw.get("type") or "action"
    if not isinstance(record_type, str) or record_type not in _KEYS:
        raise RecordError(
            "type",
            _("must be correction, void or decision, or be left out; it is %(record_type)r")
            % {"record_type": record_type},
        )
    for key in raw:
        if key not in _KEYS[record_type]:
            raise RecordError(str(key), _("this field is not known"))
    origin, external_id = _text(raw, "origin", 64), _text(raw, "external_id", 200)
    if record_type == "action":
        return ActionRow(
            origin=origin,
            external_id=external_id,
            identifier=_text(raw, "identifier", 300),
            kind=_text(raw, "kind", 64),
            occurred_at=_moment(raw, "occurred_at"),
            quantity=_quantity(raw, needed=False),
            channel=_optional_text(raw, "channel", 64),
            venue=_optional_text(raw, "venue", 64),
            attributes=raw.get("attributes"),
            state=_optional_text(raw, "state", 8) or "accepted",
            currency=_optional_text(raw, "currency", 8),
        )
    action = _text(raw, "action", 200)
    if record_type == "correction":
        quantity = _quantity(raw, needed=True)
        assert quantity is not None
        return CorrectionRow(
            origin,
            external_id,
            action,
            quantity,
            _moment(raw, "corrected_at"),
            _optional_text(raw, "currency", 8),
        )
    at, reason = _moment(raw, "at"), _optional_text(raw, "reason", 200) or ""
    if record_type == "void":
        return VoidRow(origin, external_id, action, at, reason)
    accepted = raw.get("accepted")
    if not isinstance(accepted, bool):
        raise RecordError(
            "accepted", _("must be true or false; it is %(accepted)r") % {"accepted": accepted}
        )
    return DecisionRow(origin, external_id, action, accepted, at, reason)


def _text(raw: Mapping[str, Any], key: str, longest: int) -> str:
    text = _optional_text(raw, key, longest)
    if text is None:
        raise RecordError(key, _("a text is needed here"))
    return text


def _optional_text(raw: Mapping[str, Any], key: str, longest: int) -> str | None:
    value = raw.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RecordError(key, _("must be a text; it is %(value)r") % {"value": value})
    _check_text(key, value, longest)
    return value


def _check_text(field: str, value: str, longest: int) -> None:
    if len(value) > longest:
        raise RecordError(
            field,
            _("at most %(longest)s characters fit here; it has %(length)s")
            % {"longest": longest, "length": len(value)},
        )
    reason = unstorable(value)
    if reason is not None:
        raise RecordError(field, reason)


def _moment(raw: Mapping[str, Any], key: str) -> datetime:
    moment = read_moment(raw.get(key))
    if moment is None:
        raise RecordError(
            key,
            _("must be a time with its offset such as 2026-11-21T10:30:00+00:00; it is %(value)r")
            % {"value": raw.get(key)},
        )
    return moment


def _quantity(raw: Mapping[str, Any], *, needed: bool) -> Decimal | None:
    value = raw.get("quantity")
    if value is None or value == "":
        if needed:
            raise RecordError("quantity", _("a number is needed here"))
        return None
    quantity = read_decimal(value)
    if quantity is None:
        raise RecordError("quantity", _("must be a number; it is %(value)r") % {"value": value})
    return quantity


def checked_action(
    row: ActionRow, *, vocabulary: Vocabulary, now: datetime
) -> tuple[ActionRow, Kind, tuple[str, str]]:
    """The row with missing values made so, its kind and its identifier; RecordError where it is wrong."""
    _check_text("origin", _needed("origin", row.origin), 64)
    _check_text("external_id", _needed("external_id", row.external_id), 200)
    kind = vocabulary.kinds.get(row.kind)
    if kind is None:
        raise RecordError("kind", _("the brand has no action kind %(kind)r") % {"kind": row.kind})
    try:
        identifier = parse_identifier(row.identifier)
        _check_text("identifier", row.identifier, 300)
    except IdentifierError as error:
        raise RecordError("identifier", str(error)) from error
    _check_moment("occurred_at", row.occurred_at)
    if row.occurred_at > now + FUTURE_MAX:
        raise RecordError(
            "occurred_at",
            _("lies in the future; it is %(occurred_at)s")
            % {"occurred_at": row.occurred_at.isoformat()},
        )
    if row.quantity is not None:
        _check_quantity(row.quantity)
    _check_currency(row.currency, kind.unit, vocabulary)
    if row.venue and row.venue not in vocabulary.venues:
        raise RecordError("venue", _("the brand has no venue %(venue)r") % {"venue": row.venue})
    if row.channel:
        _check_text("channel", row.channel, 64)
    if row.state not in ("accepted", "pending"):
        raise RecordError(
            "state", _("must be accepted or pending; it is %(state)r") % {"state": row.state}
        )
    attributes = _checked_attributes(row.attributes, kind)
    checked = ActionRow(
        row.origin,
        row.external_id,
        ":".join(identifier),
        row.kind,
        row.occurred_at,
        row.quantity,
        row.channel or None,
        row.venue or None,
        attributes or None,
        row.state,
    )
    return checked, kind, identifier


def checked_amendment(row: AmendmentRow, *, vocabulary: Vocabulary) -> AmendmentRow:
    """The row itself; RecordError where it is wrong."""
    _check_text("origin", _needed("origin", row.origin), 64)
    _check_text("external_id", _needed("external_id", row.external_id), 200)
    _check_text("action", _needed("action", row.action), 200)
    _check_moment("corrected_at" if row.type == "correction" else "at", row.at)
    if isinstance(row, CorrectionRow):
        _check_quantity(row.quantity)
        if row.currency is not None and row.currency != vocabulary.currency:
            raise RecordError(
                "currency",
                _("the brand's currency is %(currency)s; this is %(given)s")
                % {"currency": vocabulary.currency, "given": row.currency},
            )
        return replace(row, currency=None)
    _check_text("reason", row.reason, 200)
    return row


def _needed(field: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise RecordError(field, _("a text is needed here"))
    return value


def _check_moment(field: str, moment: datetime) -> None:
    if moment.tzinfo is None:
        raise RecordError(field, _("a time needs its offset, such as +00:00"))
    if not 1900 <= moment.year <= 9000:
        raise RecordError(
            field,
            _("the year must lie between 1900 and 9000; it is %(year)s") % {"year": moment.year},
        )


def _check_quantity(quantity: Decimal) -> None:
    if quantity < 0:
        raise RecordError(
            "quantity", _("a quantity is not negative; it is %(quantity)s") % {"quantity": quantity}
        )
    if quantity > QUANTITY_MAX:
        raise RecordError(
            "quantity",
            _("must be at most %(most)s; it is %(quantity)s")
            % {"most": QUANTITY_MAX, "quantity": quantity},
        )
    if decimal_places(quantity) > 8:
        raise RecordError(
            "quantity",
            _("at most 8 decimal places fit here; it is %(quantity)s") % {"quantity": quantity},
        )


def _check_currency(currency: str | None, unit: str, vocabulary: Vocabulary) -> None:
    if not currency:
        return
    if unit != "money":
        raise RecordError("currency", _("the quantity of this kind is not money"))
    if currency != vocabulary.currency:
        raise RecordError(
            "currency",
            _("the brand's currency is %(currency)s; this is %(given)s")
            % {"currency": vocabulary.currency, "given": currency},
        )


def _checked_attributes(attributes: Any, kind: Kind) -> dict[str, Any]:
    if attributes is None:
        return {}
    if not isinstance(attributes, Mapping):
        raise RecordError(
            "attributes", _("must be an object; it is %(attributes)r") % {"attributes": attributes}
        )
    checked = {}
    for name, value in attributes.items():
        field = f"attributes.{name}"
        declared = kind.attributes.get(name)
        if declared is None:
            raise RecordError(
                field, _("%(slug)s has no attribute %(name)r") % {"slug": kind.slug, "name": name}
            )
        if value is None or value == "":
            continue
        _check_attribute(field, value, declared)
        checked[name] = value
    return checked


def _check_attribute(field: str, value: Any, declared: Any) -> None:
    type_name = attribute_type(declared)
    if type_name == "number":
        number = None if isinstance(value, str) else read_decimal(value)
        if number is None:
            raise RecordError(field, _("must be a number; it is %(value)r") % {"value": value})
        if abs(number) > QUANTITY_MAX or decimal_places(number) > 12:
            raise RecordError(
                field,
                _("must be at most %(most)s with at most 12 decimal places; it is %(value)s")
                % {"most": QUANTITY_MAX, "value": value},
            )
    elif type_name == "yes_no":
        if not isinstance(value, bool):
            raise RecordError(field, _("must be true or false; it is %(value)r") % {"value": value})
    elif not isinstance(value, str):
        raise RecordError(field, _("must be a text; it is %(value)r") % {"value": value})
    elif type_name == "date":
        if read_date(value) is None:
            raise RecordError(
                field, _("must be a date such as 2026-11-23; it is %(value)r") % {"value": value}
            )
    elif type_name == "choice":
        if value not in declared["choice"]:
            raise RecordError(
                field,
                _("must be one of %(choices)s; it is %(value)r")
                % {"choices": ", ".join(declared["choice"]), "value": value},
            )
    else:
        _check_text(field, value, 1000)
