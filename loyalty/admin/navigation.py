"""The sidebar: the pages that a person may use, in the order of their work."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from loyalty import access
from loyalty.access import Task

# Group, then (title, icon, URL name, task, parts of the path by which the link is the current one).
ENTRIES: list[tuple[Any, list[tuple[Any, str, str, Task | None, tuple[str, ...]]]]] = [
    (
        "",
        [(_("Today"), "today", "index", None, ())],
    ),
    (
        _("Customers"),
        [
            (
                _("Top customers"),
                "trophy",
                "top_customers_choice",
                Task.EXPORT_CUSTOMERS,
                ("/top-customers/",),
            ),
            (
                _("All customers"),
                "group",
                "accounts_customer_changelist",
                Task.SEE_CUSTOMERS,
                ("/accounts/customer/",),
            ),
            (_("Claims"), "fact_check", "claims", Task.DECIDE_CLAIMS, ("/claims/",)),
            (
                _("Disputes"),
                "balance",
                "disputes_choice",
                Task.DECIDE_DISPUTES,
                ("/disputes/",),
            ),
            (
                _("Linking codes"),
                "password",
                "link_codes_choice",
                Task.MAKE_LINK_CODES,
                ("/link-codes/",),
            ),
            (
                _("Uses of data"),
                "visibility",
                "accounts_datause_changelist",
                Task.EXPORT_CUSTOMERS,
                ("/accounts/datause/",),
            ),
        ],
    ),
    (
        _("Game"),
        [
            (
                _("Rules"),
                "rule",
                "rules_choice",
                Task.SEE_RULES,
                ("/rules/", "/new-rule/", "/score-design/", "/publish/", "/versions/"),
            ),
            (
                _("Badges"),
                "workspace_premium",
                "scoring_badge_changelist",
                Task.EDIT_SETUP,
                ("/scoring/badge/",),
            ),
            (
                _("Action kinds"),
                "category",
                "scoring_actionkind_changelist",
                Task.EDIT_SETUP,
                ("/scoring/actionkind/",),
            ),
            (
                _("Venues"),
                "storefront",
                "scoring_venue_changelist",
                Task.EDIT_SETUP,
                ("/scoring/venue/",),
            ),
        ],
    ),
    (
        _("Records"),
        [
            (
                _("Actions"),
                "receipt_long",
                "scoring_action_changelist",
                Task.SEE_RECORDS,
                ("/scoring/action/",),
            ),
            (
                _("Ledger"),
                "menu_book",
                "scoring_posting_changelist",
                Task.SEE_RECORDS,
                ("/scoring/posting/",),
            ),
        ],
    ),
    (
        _("Brand"),
        [
            (
                _("Brand"),
                "palette",
                "accounts_brand_changelist",
                Task.EDIT_BRAND,
                ("/accounts/brand/",),
            ),
            (
                _("Consent"),
                "contract",
                "accounts_consenttext_changelist",
                Task.EDIT_BRAND,
                ("/accounts/consenttext/",),
            ),
            (
                _("Staff"),
                "badge",
                "accounts_staffrole_changelist",
                Task.APPOINT_STAFF,
                ("/accounts/staffrole/",),
            ),
            (
                _("Logins"),
                "key",
                "accounts_user_changelist",
                Task.RUN_INSTALLATION,
                ("/accounts/user/",),
            ),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups for the theme, without what the person may not do."""
    groups = []
    for title, entries in ENTRIES:
        items = [
            {
                "title": label,
                "icon": icon,
                "link": reverse(f"admin:{name}"),
                "active": request.path == reverse(f"admin:{name}")
                or any(part in request.path for part in parts),
                "has_permission": True,
            }
            for label, icon, name, task, parts in entries
            if task is None or access.staff_may(request.user, task)
        ]
        if items:
            groups.append({"title": title, "items": items})
    return groups
