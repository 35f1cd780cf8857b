"""Every stored field: whether it says something about a person, where the download has it, and what erasing does to it.

The table in docs/privacy.md is made from this. The tests in ``tests/loyalty/test_privacy*`` fail where a field is
missing here or is gone, where the download lacks what is said to be in it, and where erasing does otherwise.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What erasing a customer, or a login, does to a field of theirs."""

    DELETED = "deleted"
    EMPTIED = "emptied"
    REPLACED = "replaced by a random one"
    WRITTEN = "says when"
    STAYS = "stays, of nobody"
    UNTOUCHED = "is nobody's"


class Term(StrEnum):
    """How long a field is kept when nobody erases anything."""

    LOGIN = "as long as the login"
    CUSTOMER = "as long as the customer"
    LEDGER = "for good, of nobody after erasing"
    LOG = "for good, without the person after erasing"
    VISIT = "two weeks after the last visit"
    MOMENT = "until the next scoring, seconds"
    BRAND = "as long as the brand keeps it"
    SITE = "as long as the installation"


@dataclass(frozen=True, slots=True)
class Field:
    """One stored field.

    ``exported`` is the section of the download that says it, empty for none; of a personal one, ``note`` then says why.
    """

    exported: str
    erased: Fate
    kept: Term
    personal: bool = True
    note: str = ""


Fields = dict[str, Field]

WITHHELD_KEY = "a secret that only opens something"
INTERNAL = "a number of the database"
SOMEBODY_ELSE = "who of the staff did it; emptied when that login is erased"


def known(names: str, *, section: str, erased: Fate, kept: Term) -> Fields:
    """Fields that say something about a person, who can read them in a section of the download."""
    return {name: Field(section, erased, kept) for name in names.split()}


def withheld(names: str, *, why: str, erased: Fate, kept: Term) -> Fields:
    """Fields about a person which the download does not show, and why not."""
    return {name: Field("", erased, kept, note=why) for name in names.split()}


def internal(names: str, *, erased: Fate, kept: Term, section: str = "") -> Fields:
    """Fields of a person's rows which say nothing about the person."""
    return {
        name: Field(section, erased, kept, personal=False, note=INTERNAL) for name in names.split()
    }


def of_nobody(names: str, *, kept: Term = Term.BRAND, section: str = "") -> Fields:
    """Fields of what a brand or the installation keeps for itself."""
    return {name: Field(section, Fate.UNTOUCHED, kept, personal=False) for name in names.split()}


def by_staff(name: str) -> Fields:
    """The login of whoever of the staff did something."""
    return {name: Field("", Fate.EMPTIED, Term.LOG, note=SOMEBODY_ELSE)}


def _goes(names: str, *, section: str, kept: Term = Term.CUSTOMER) -> Fields:
    return known(names, section=section, erased=Fate.DELETED, kept=kept)


def _stays(names: str, *, section: str) -> Fields:
    return known(names, section=section, erased=Fate.STAYS, kept=Term.LEDGER)


def _emptied(names: str, *, section: str, kept: Term = Term.CUSTOMER) -> Fields:
    return known(names, section=section, erased=Fate.EMPTIED, kept=kept)


CLASSIFIED: dict[str, Fields] = {
    # The login
    "accounts.User": {
        **internal("id", erased=Fate.DELETED, kept=Term.LOGIN),
        **_goes(
            "email name theme language is_active created_at last_login",
            section="login",
            kept=Term.LOGIN,
        ),
        **withheld("password", why=WITHHELD_KEY, erased=Fate.DELETED, kept=Term.LOGIN),
        **withheld(
            "is_superuser",
            why="an operator's, who cannot be erased",
            erased=Fate.DELETED,
            kept=Term.LOGIN,
        ),
    },
    "accounts.User_groups": internal("id user group", erased=Fate.DELETED, kept=Term.LOGIN),
    "accounts.User_user_permissions": internal(
        "id user permission", erased=Fate.DELETED, kept=Term.LOGIN
    ),
    "accounts.StaffRole": {
        **internal("id brand", erased=Fate.DELETED, kept=Term.LOGIN),
        **withheld(
            "user role",
            why="work, not custom",
            erased=Fate.DELETED,
            kept=Term.LOGIN,
        ),
    },
    "account.EmailAddress": {
        **internal("id user", erased=Fate.DELETED, kept=Term.LOGIN),
        **_goes("email verified primary", section="emails", kept=Term.LOGIN),
    },
    "account.EmailConfirmation": {
        **internal("id email_address", erased=Fate.DELETED, kept=Term.LOGIN),
        **withheld(
            "created sent key",
            why="never written: addresses are confirmed by a code",
            erased=Fate.DELETED,
            kept=Term.LOGIN,
        ),
    },
    "mfa.Authenticator": {
        **internal("id user", erased=Fate.DELETED, kept=Term.LOGIN),
        **_goes("type created_at last_used_at", section="sign_in_keys", kept=Term.LOGIN),
        **withheld("data", why=WITHHELD_KEY, erased=Fate.DELETED, kept=Term.LOGIN),
    },
    "socialaccount.SocialAccount": {
        **internal("id user", erased=Fate.DELETED, kept=Term.LOGIN),
        **_goes(
            "provider uid last_login date_joined extra_data",
            section="linked_accounts",
            kept=Term.LOGIN,
        ),
    },
    "socialaccount.SocialToken": {
        **internal("id app account", erased=Fate.DELETED, kept=Term.LOGIN),
        **withheld(
            "token token_secret expires_at", why=WITHHELD_KEY, erased=Fate.DELETED, kept=Term.LOGIN
        ),
    },
    "usersessions.UserSession": {
        **internal("id user", erased=Fate.DELETED, kept=Term.LOGIN),
        **_goes("created_at last_seen_at ip user_agent data", section="sessions", kept=Term.LOGIN),
        **withheld("session_key", why=WITHHELD_KEY, erased=Fate.DELETED, kept=Term.LOGIN),
    },
    "sessions.Session": withheld(
        "session_key session_data expire_date",
        why="what one browser is doing; when and from where is in sessions",
        erased=Fate.DELETED,
        kept=Term.VISIT,
    ),
    # The customer, and who they are
    "accounts.Customer": {
        **internal("id brand merged_into", erased=Fate.STAYS, kept=Term.LEDGER),
        **internal("erased_at", erased=Fate.WRITTEN, kept=Term.LEDGER),
        **known("public_id", section="customer", erased=Fate.REPLACED, kept=Term.CUSTOMER),
        **_emptied(
            "pseudonym joined_at on_boards paused_at sources_off",
            section="customer",
        ),
        **_emptied("user", section="login"),
        **_stays("created_at", section="customer"),
    },
    "accounts.Identifier": {
        **internal("id brand customer", erased=Fate.STAYS, kept=Term.LEDGER),
        **known("scheme value", section="identifiers", erased=Fate.REPLACED, kept=Term.CUSTOMER),
        **_emptied("proven_at proof counts_from sources_off", section="identifiers"),
        **_stays("created_at", section="identifiers"),
    },
    "accounts.LinkEvent": {
        **internal("id group undoes", erased=Fate.STAYS, kept=Term.LEDGER),
        **_stays(
            "identifier from_customer to_customer type proof counts_from at",
            section="identifier_moves",
        ),
        **_emptied("reason", section="identifier_moves"),
        **by_staff("by"),
    },
    "accounts.Dispute": {
        **internal("id brand", erased=Fate.DELETED, kept=Term.CUSTOMER),
        **_goes(
            "identifier claimant holder proof opened_at decided_at moved note",
            section="disputes",
        ),
        **by_staff("decided_by"),
    },
    "accounts.LinkCode": {
        **internal("id brand", erased=Fate.DELETED, kept=Term.CUSTOMER),
        **_goes("scheme value made_at expires_at used_at used_by", section="link_codes"),
        **withheld("digest", why=WITHHELD_KEY, erased=Fate.DELETED, kept=Term.CUSTOMER),
        **by_staff("made_by"),
    },
    # What they chose
    "accounts.Consent": {
        **internal("id customer", erased=Fate.STAYS, kept=Term.LEDGER),
        **_stays(
            "purpose channel given wording version language way at",
            section="consents",
        ),
    },
    "accounts.ContactRules": _goes(
        "customer quiet_from quiet_until weekly_most", section="contact_rules"
    ),
    "accounts.DataUse": {
        **of_nobody("id brand people"),
        **of_nobody("type purpose channel title role at", section="data_uses"),
        **by_staff("by"),
    },
    "accounts.DataUseOf": _goes("customer use", section="data_uses"),
    "scoring.Rhythm": _goes("customer starts_on days", section="rhythm"),
    "scoring.HomeVenue": _goes("customer venue", section="customer"),
    # What they did
    "scoring.Action": {
        **internal("id brand", erased=Fate.STAYS, kept=Term.LEDGER),
        **_stays(
            "identifier kind venue occurred_at received_at quantity state channel origin external_id",
            section="reported",
        ),
        **_emptied("attributes", section="reported"),
    },
    "scoring.Amendment": {
        **internal("id brand identifier", erased=Fate.STAYS, kept=Term.LEDGER),
        **_stays(
            "type origin external_id action_external_id action at quantity accepted received_at",
            section="amendments",
        ),
        **_emptied("reason", section="amendments"),
    },
    "scoring.Evidence": _goes("action photo added_at", section="photos"),
    "scoring.Objection": {
        **_goes("action text made_at answer answered_at", section="objections"),
        **by_staff("answered_by"),
    },
    # What came of it
    "scoring.Posting": {
        **internal("id customer", erased=Fate.STAYS, kept=Term.LEDGER),
        **_stays("action rule rule_set points posted_at local_date source why", section="postings"),
    },
    "scoring.BadgeEarned": {
        **internal("id customer", erased=Fate.STAYS, kept=Term.LEDGER),
        **_stays("badge level earned_at revoked_at revoked_why", section="badges"),
    },
    "scoring.DailyPoints": _goes("customer source local_date points", section="days"),
    "scoring.Score": {
        **internal("brand revision checksum_a checksum_b", erased=Fate.DELETED, kept=Term.CUSTOMER),
        **_goes(
            "customer score points sub_scores source_points rule_set scored_on scored_at",
            section="score",
        ),
    },
    "scoring.Due": withheld(
        "id brand identifier customer since until kinds why marked_at",
        why="that a score is about to be worked out",
        erased=Fate.DELETED,
        kept=Term.MOMENT,
    ),
    "scoring.BadgeShare": {
        **internal("id", erased=Fate.DELETED, kept=Term.CUSTOMER),
        **_goes("customer badge public_id shared_at", section="badge_shares"),
    },
    "scoring.ClosedPlace": _goes("board customer rank points", section="board_places"),
    # What staff did in the admin
    "admin.LogEntry": {
        **internal("id content_type object_id", erased=Fate.STAYS, kept=Term.LOG),
        **known("action_time action_flag", section="staff_log", erased=Fate.STAYS, kept=Term.LOG),
        **_emptied("object_repr change_message", section="staff_log", kept=Term.LOG),
        **withheld(
            "user",
            why="who of the staff did it; the entries go with that login",
            erased=Fate.DELETED,
            kept=Term.LOG,
        ),
    },
    # What is a brand's or the installation's
    "accounts.Brand": of_nobody(
        "id slug name promise time_zone currency colour season credit_days channels partners created_at"
    ),
    "accounts.IssuerKey": of_nobody("id brand public_key sealed created_at"),
    "accounts.ConsentText": {
        **of_nobody("id brand purpose version text made_at"),
        **by_staff("made_by"),
    },
    "scoring.Venue": of_nobody("id brand slug name check_in_code"),
    "scoring.ActionKind": of_nobody("id brand slug label source unit attributes"),
    "scoring.RuleSet": {
        **of_nobody("id brand version sources effective note created_at published_at"),
        **by_staff("published_by"),
    },
    "scoring.RuleKey": of_nobody("id brand key"),
    "scoring.Rule": of_nobody("id rule_set position key type title starts ends definition"),
    "scoring.Badge": of_nobody("id brand slug title source criterion parameters levels position"),
    "scoring.ClosedBoard": of_nobody("id brand period starts_on ends_on closed_at"),
    "auth.Permission": of_nobody("id name content_type codename", kept=Term.SITE),
    "auth.Group": of_nobody("id name", kept=Term.SITE),
    "auth.Group_permissions": of_nobody("id group permission", kept=Term.SITE),
    "contenttypes.ContentType": of_nobody("id app_label model", kept=Term.SITE),
    "socialaccount.SocialApp": of_nobody(
        "id provider provider_id name client_id secret key settings", kept=Term.SITE
    ),
}


def table() -> str:
    """The classification as a table in Markdown; fields of one model that share everything share a line."""
    lines = [
        "| of | fields | about a person | in the download | erasing | kept |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for model, fields in CLASSIFIED.items():
        alike: dict[Field, list[str]] = {}
        for name, field in fields.items():
            alike.setdefault(field, []).append(name)
        for field, names in alike.items():
            said = f"`{field.exported}`" if field.exported else "no"
            why = f": {field.note}" if field.personal and field.note else ""
            lines.append(
                f"| `{model}` | {', '.join(f'`{name}`' for name in names)}"
                f" | {'yes' if field.personal else 'no'} | {said}{why} | {field.erased} | {field.kept} |"
            )
    return "\n".join(lines)
