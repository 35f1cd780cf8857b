"""What was done with a customer's data, in words that the customer reads."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Brand, DataUse, Purpose, StaffRole

# What staff change about a customer: ``DataUse.title`` is the key.
CHANGES: dict[str, Promise] = {
    "merge": gettext_lazy("Two customers were made one"),
    "split": gettext_lazy("Identifiers were split off"),
    "unlink": gettext_lazy("An identifier was unlinked"),
    "undo": gettext_lazy("A merge, a split or a decision was undone"),
    "dispute": gettext_lazy("It was decided whose an identifier is"),
}


def use_in_words(use: DataUse) -> str:
    """What was done."""
    match use.type:
        case DataUse.Type.LOOK:
            return _("Your data were looked at")
        case DataUse.Type.CHANGE:
            return str(CHANGES.get(use.title, use.title or _("Something was changed")))
    return (
        _("You were on a list: %(title)s") % {"title": use.title}
        if use.title
        else _("You were on a list")
    )


def use_for_what(use: DataUse) -> str:
    """By whom, and of a list for what and with how many others."""
    words = [str(StaffRole.Role(use.role).label) if use.role else _("Operator of the site")]
    if use.type == DataUse.Type.EXPORT:
        purpose = str(Purpose(use.purpose).label)
        channel = str(Brand.Channel(use.channel).label) if use.channel else ""
        words.append(f"{purpose}, {channel}" if channel else purpose)
        words.append(
            ngettext("%(people)s person on it", "%(people)s people on it", use.people)
            % {"people": f"{use.people:,}"}
        )
    return " · ".join(words)
