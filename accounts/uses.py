"""When staff took data of customers, and for what: recorded where it happens, and shown to each of them."""

from collections.abc import Iterable
from datetime import datetime, time

from django.db import connection, transaction

from .consent import Audience
from .models import Brand, Customer, DataUse, Purpose, User


@transaction.atomic
def record_use(
    *,
    brand: Brand,
    type: DataUse.Type,  # noqa: A002
    purpose: Purpose,
    title: str,
    by: User | None,
    role: str,
    customers: Iterable[int] | Audience,
    now: datetime,
    channel: str = "",
) -> DataUse:
    """Record that data of these customers were taken: a whole audience, or the ids of some.

    ``by`` is None for whoever runs a command; ``role`` is what they worked as. Two statements, however many customers.
    """
    if isinstance(customers, Audience):
        customers = customers.customers.values_list("pk", flat=True)
    ids = sorted(set(customers))
    use = DataUse.objects.create(
        brand=brand,
        type=type,
        purpose=purpose,
        channel=channel,
        title=title,
        by=by,
        role=role,
        people=len(ids),
        at=now,
    )
    with connection.cursor() as cursor:
        # Grain: one customer of the use, which is new.
        cursor.execute(
            "INSERT INTO accounts_datauseof (customer_id, use_id) SELECT *, %s FROM unnest(%s::bigint[])",
            [use.pk, ids],
        )
    return use


def record_look(*, customer: Customer, by: User, role: str, now: datetime) -> None:
    """Record that a member of staff opened the customer's page: once for each of them and local day of the brand."""
    day = datetime.combine(now.astimezone(customer.brand.zone).date(), time(), customer.brand.zone)
    looks = DataUse.objects.filter(
        members__customer=customer, type=DataUse.Type.LOOK, by=by, role=role, at__gte=day
    )
    if not looks.exists():
        record_use(
            brand=customer.brand,
            type=DataUse.Type.LOOK,
            purpose=Purpose.SCORE,
            title="",
            by=by,
            role=role,
            customers=[customer.pk],
            now=now,
        )


def uses_of(*, customer: Customer) -> list[DataUse]:
    """Every time that staff took the customer's data, newest first."""
    return list(
        DataUse.objects.filter(members__customer=customer)
        .select_related("by")
        .order_by("-at", "-pk")
    )
