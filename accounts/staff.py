"""Who works for a brand, and as what. Whether somebody may decide that is asked of ``loyalty.access``."""

from django.db import transaction

from .models import Brand, StaffRole, User


class LastOwnerError(ValueError):
    """A brand that has an owner must keep one."""


@transaction.atomic
def appoint_staff(*, brand: Brand, user: User, role: str) -> StaffRole:
    """Give a user a role with a brand, in place of the one they have.

    Raises LastOwnerError where the brand would have no owner any more.
    """
    _keep_an_owner(brand, without=None if role == StaffRole.Role.OWNER else user)
    appointed, _is_new = StaffRole.objects.update_or_create(
        brand=brand, user=user, defaults={"role": role}
    )
    return appointed


@transaction.atomic
def dismiss_staff(*, brand: Brand, user: User) -> None:
    """Take a user's role with a brand away; nothing where there is none. Raises LastOwnerError."""
    _keep_an_owner(brand, without=user)
    StaffRole.objects.filter(brand=brand, user=user).delete()


def is_last_owner(*, brand_id: int, user_id: int) -> bool:
    """Whether a user is a brand's only owner."""
    owners = StaffRole.objects.filter(brand=brand_id, role=StaffRole.Role.OWNER)
    return set(owners.values_list("user", flat=True)) == {user_id}


def _keep_an_owner(brand: Brand, *, without: User | None) -> None:
    # The brand's row is the lock: of two owners who dismiss each other at once, one stays.
    Brand.objects.select_for_update(no_key=True).get(pk=brand.pk)
    if without is not None and is_last_owner(brand_id=brand.pk, user_id=without.pk):
        raise LastOwnerError(f"{brand} has no other owner")
