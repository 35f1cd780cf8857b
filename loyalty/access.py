"""Who may do what: every view loads its brand and its objects through here.

The staff part is a table: each task of the admin names the roles that include it. A new role is a column of that
table; no view names a role. ``docs/roles.md`` is made from it.
"""

import re
from enum import StrEnum
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from rules.predicates import Predicate

from accounts.models import Brand, Customer, Identifier, LinkEvent, StaffRole, User
from accounts.walls import lifted, stand
from scoring.models import Action, Badge, BadgeShare, Venue

# No row has a number of more digits.
LONGEST_NUMBER = 18

# --- staff ---------------------------------------------------------------------------------------


class Task(StrEnum):
    """What staff do for a brand, as the admin asks for it."""

    SEE_CUSTOMERS = "see customers"
    SEE_PAUSED = "see customers who paused their score, too"
    EXPORT_CUSTOMERS = "choose customers for marketing, and export them"
    DECIDE_CLAIMS = "decide claims, answer objections"
    DECIDE_DISPUTES = "decide whose an identifier is"
    MERGE_CUSTOMERS = "merge and split customers"
    MAKE_LINK_CODES = "give out linking codes"
    SEE_RECORDS = "see actions and postings"
    SEE_RULES = "see rules"
    EDIT_RULES = "edit and preview rules"
    PUBLISH_RULES = "publish rules"
    EDIT_SETUP = "edit kinds, venues and badges"
    EDIT_BRAND = "edit the brand and its wordings of consent"
    APPOINT_STAFF = "appoint and dismiss staff"
    APPOINT_OWNERS = "appoint and dismiss owners"
    RUN_INSTALLATION = "run the installation"


def _is_operator(user: User, brand_id: int | None) -> bool:
    return user.is_superuser


def has_role(role: StaffRole.Role) -> Predicate:
    """The predicate that a user holds this role with the brand."""

    def holds(user: User, brand_id: int | None) -> bool:
        return brand_id is not None and user.roles.get(brand_id) == role

    return Predicate(holds, name=f"has_role:{role}")


# An operator of the installation may do everything for every brand.
is_operator = Predicate(_is_operator, name="is_operator")
is_owner = has_role(StaffRole.Role.OWNER)
is_manager = has_role(StaffRole.Role.MANAGER)
is_rule_editor = has_role(StaffRole.Role.RULE_EDITOR)
is_reviewer = has_role(StaffRole.Role.REVIEWER)
is_marketer = has_role(StaffRole.Role.MARKETER)
is_till = has_role(StaffRole.Role.TILL)
leads = is_operator | is_owner | is_manager

STAFF_MAY: dict[Task, Predicate] = {
    # Who decides on somebody's claim or identifier must see what it is about.
    Task.SEE_CUSTOMERS: leads | is_reviewer | is_marketer,
    # Marketing finds nobody but through the gate (``accounts.consent``).
    Task.SEE_PAUSED: leads | is_reviewer,
    Task.EXPORT_CUSTOMERS: leads | is_marketer,
    Task.DECIDE_CLAIMS: leads | is_reviewer,
    Task.DECIDE_DISPUTES: leads | is_reviewer,
    Task.MERGE_CUSTOMERS: leads,
    Task.MAKE_LINK_CODES: leads | is_till,
    Task.SEE_RECORDS: leads | is_reviewer,
    Task.SEE_RULES: leads | is_rule_editor | is_reviewer | is_marketer,
    Task.EDIT_RULES: leads | is_rule_editor,
    # Four eyes: who wrote a draft asks somebody to publish it, since that changes everybody's score.
    Task.PUBLISH_RULES: leads,
    Task.EDIT_SETUP: leads | is_rule_editor,
    Task.EDIT_BRAND: leads,
    Task.APPOINT_STAFF: leads,
    Task.APPOINT_OWNERS: is_operator | is_owner,
    Task.RUN_INSTALLATION: is_operator,
}


def staff_may(user: User | AnonymousUser, task: Task, *, brand: Brand | int | None = None) -> bool:
    """Whether a user may do a task for a brand; without a brand, whether for any brand at all."""
    if not isinstance(user, User) or not user.is_active:
        return False
    may = STAFF_MAY[task]
    if brand is not None:
        return bool(may.test(user, brand.pk if isinstance(brand, Brand) else brand))
    return bool(may.test(user, None) or any(may.test(user, brand_id) for brand_id in user.roles))


def staff_may_change(user: User | AnonymousUser, task: Task, *, customer: Customer) -> bool:
    """Whether a user may do a task to a customer. Nobody may to the customer that they are themselves."""
    return staff_may(user, task, brand=customer.brand_id) and not is_own(user, customer)


def is_own(user: User | AnonymousUser, customer: Customer) -> bool:
    """Whether the customer is the user."""
    return user.pk is not None and customer.user_id == user.pk


def staff_brands(user: User | AnonymousUser, task: Task) -> QuerySet[Brand]:
    """The brands for which a user may do a task, by name. None for everyone who is not staff."""
    brands = Brand.objects.order_by("name", "pk")
    if not isinstance(user, User) or not user.is_active:
        return brands.none()
    if STAFF_MAY[task].test(user, None):
        return brands
    return brands.filter(
        pk__in=[brand_id for brand_id in user.roles if STAFF_MAY[task].test(user, brand_id)]
    )


def workplaces(user: User | AnonymousUser) -> QuerySet[Brand]:
    """The brands for which a user works, in whatever role."""
    brands = Brand.objects.order_by("name", "pk")
    if not isinstance(user, User) or not user.is_active:
        return brands.none()
    return brands if user.is_superuser else brands.filter(pk__in=list(user.roles))


def get_staff_brand(user: User | AnonymousUser, task: Task, slug: str) -> Brand:
    """The brand of that slug, for a task.

    Raises Http404 when the user is no staff of it (or there is none), so that a stranger does not
    learn which brands exist, and PermissionDenied when the user's role does not include the task.
    """
    brand = get_object_or_404(workplaces(user), slug=slug)
    if not staff_may(user, task, brand=brand):
        raise PermissionDenied
    return brand


def role_of(user: User, brand: Brand) -> str:
    """As what a user works for a brand; empty for an operator, who works for every one."""
    return user.roles.get(brand.pk, "")


def customers_of(brand: Brand) -> QuerySet[Customer]:
    """The brand's customers who are somebody: neither erased nor merged into another."""
    return Customer.objects.filter(brand=brand, merged_into=None, erased_at=None)


def get_customer_of(brand: Brand, customer_id: int) -> Customer:
    """One of the brand's customers, with brand, login and stored score. Raises Http404 for another brand's."""
    return get_object_or_404(
        customers_of(brand).select_related("brand", "user", "score"), pk=customer_id
    )


def customers_of_move(brand: Brand, group: UUID) -> list[Customer]:
    """Between whom the identifiers of one merge or split of the brand moved; nobody where there is no such move."""
    moves = LinkEvent.objects.filter(group=group, identifier__brand=brand)
    return list(
        Customer.objects.filter(
            Q(pk__in=moves.values("from_customer")) | Q(pk__in=moves.values("to_customer"))
        )
    )


# --- customers -----------------------------------------------------------------------------------


def slug_in(path: str) -> str:
    """The slug of the brand whose page it is that stands at a path; empty for pages of no brand."""
    found = _OF_A_BRAND.match(path)
    return found[1] if found else ""


# For ``accounts.walls``: one array of the keys of the brands, here of one or none.
BY_SLUG = "SELECT array_agg(id) FROM accounts_brand WHERE slug = %s"
_OF_A_BRAND = re.compile(r"/b/([-\w]+)/")


def get_brand(slug: str) -> Brand:
    """The brand of that slug, whose landing page and rule book anyone may read. Raises Http404."""
    return get_object_or_404(Brand, slug=slug)


def find_customer(user: User | AnonymousUser, slug: str) -> Customer | None:
    """The user's own customer with the brand of that slug, its brand and stored score.

    None before joining, and for one that was merged into another. What a page reads after this is at least as new as
    that score, so its revision tells when the page is out of date.
    """
    if not user.is_authenticated:
        return None
    return (
        Customer.objects.select_related("brand", "user", "score")
        .filter(user=user, brand__slug=slug, merged_into=None)
        .first()
    )


def memberships(user: User | AnonymousUser) -> list[Customer]:
    """A user's customers with all brands, by the brand's name; none that was merged into another."""
    if not user.is_authenticated:
        return []
    with lifted("a person's own memberships"):
        found = Customer.objects.select_related("brand").filter(user=user, merged_into=None)
        return list(found.order_by("brand__name", "pk"))


def get_action(customer: Customer, action_id: int) -> Action:
    """One of the customer's actions, with its kind and venue. Raises Http404 for anyone else's."""
    return get_object_or_404(
        Action.objects.select_related("kind", "venue"),
        pk=action_id,
        identifier__customer=customer,
    )


def get_identifier(customer: Customer, number: str) -> Identifier:
    """One of the customer's identifiers, by its number as it was sent. Raises Http404 for anyone else's."""
    return get_object_or_404(customer.identifiers, pk=_read_number(number))


def find_identifier(customer: Customer, number: str) -> Identifier | None:
    """One of the customer's identifiers, by its number as it was sent; None for anyone else's, and for no number."""
    if not number.isdecimal() or len(number) > LONGEST_NUMBER:
        return None
    return customer.identifiers.filter(pk=int(number)).first()


def get_social_account(user: User | AnonymousUser, number: str) -> SocialAccount:
    """One of the social accounts of a login. Raises Http404 for anyone else's."""
    return get_object_or_404(SocialAccount, user_id=user.pk, pk=_read_number(number))


def get_address(user: User | AnonymousUser, number: str) -> EmailAddress:
    """One of the e-mail addresses of a login. Raises Http404 for anyone else's."""
    return get_object_or_404(EmailAddress, user_id=user.pk, pk=_read_number(number))


def _read_number(text: str) -> int:
    if not text.isdecimal() or len(text) > LONGEST_NUMBER:
        raise Http404
    return int(text)


def venues(brand: Brand) -> QuerySet[Venue]:
    """The brand's venues, by name."""
    return Venue.objects.filter(brand=brand).order_by("name", "pk")


def get_badge_level(brand: Brand, slug: str, level: int) -> Badge:
    """The brand's badge of that slug, which anyone may know of. Raises Http404 where it has no such level."""
    found = Badge.objects.select_related("brand").filter(levels__len__gte=level)
    return get_object_or_404(found if level else found.none(), brand=brand, slug=slug)


def get_badge_share(public_id: UUID) -> BadgeShare:
    """What somebody shows to anyone who knows its address. Raises Http404, also once they have left.

    The rest of the request is about its brand.
    """
    with lifted("a share is known by its own address"):
        share = get_object_or_404(
            BadgeShare.objects.select_related("customer__brand", "badge"),
            public_id=public_id,
            customer__user__isnull=False,
        )
    stand((share.customer.brand_id,))
    return share
