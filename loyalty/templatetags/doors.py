"""What the doors put on pages of others: the outbox, the app's links, and what became of a claim."""

from typing import Any

from django import template

from accounts.models import Brand, Customer
from loyalty import access, theme
from loyalty.intake.purchases import usual_wait
from loyalty.pages.app import hex_colour, icon_mark
from loyalty.pages.outbox import owner_mark
from loyalty.templatetags.laurel import look_url
from scoring.models import Action, Amendment, Evidence, Objection

register = template.Library()


@register.inclusion_tag("parts/app.html")
def app_links(brand: Brand) -> dict[str, Any]:
    """The links by which a browser finds the brand's app, and the colours of its frame."""
    palettes = theme.palettes(brand.colour)
    return {
        "brand": brand,
        "mark": icon_mark(brand),
        "light": hex_colour(palettes["light"]["paper"]),
        "dark": hex_colour(palettes["dark"]["paper"]),
    }


@register.inclusion_tag("parts/outbox.html", takes_context=True)
def outbox(
    context: template.Context, brand: Brand, customer: Customer | None = None
) -> dict[str, Any]:
    """What waits on this phone; empty until there is something.

    Also on a page that is the same for everybody, so that the phone does not take its reader for nobody.
    """
    request = context.get("request")
    if not customer and request is not None and hasattr(request, "user"):
        customer = access.find_customer(request.user, brand.slug)
    return {"brand": brand, "owner": owner_mark(customer or None), "look": look_url(brand)}


@register.inclusion_tag("parts/outbox.html")
def outbox_of_nobody(brand: Brand) -> dict[str, Any]:
    """The same on a page that phones keep, which must not say whose it is."""
    return {"brand": brand, "keeps_nobody": True}


@register.inclusion_tag("parts/say.html")
def say(action: Action, state: str) -> dict[str, Any]:
    """Below a receipt: the photo, how long a decision takes, why it was refused, and the customer's objection."""
    reason = ""
    if state in ("rejected", "reversed"):
        of_state = Amendment.Type.DECISION if state == "rejected" else Amendment.Type.VOID
        amendments = Amendment.objects.filter(action=action, type=of_state)
        reason = (
            amendments.order_by("at", "external_id").values_list("reason", flat=True).first() or ""
        )
    return {
        "action": action,
        "brand": action.brand,
        "state": state,
        "wait": usual_wait(brand=action.brand) if state == "pending" else "",
        "reason": reason,
        "has_photo": Evidence.objects.filter(action=action).exists(),
        "objection": Objection.objects.filter(action=action).first(),
    }
