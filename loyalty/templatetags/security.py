"""What the pages about signing in say of devices, and of the second step."""

from django import template
from django.http import HttpRequest

from accounts.models import User
from loyalty import second_factor
from loyalty.pages.security import device_of

register = template.Library()


@register.simple_tag
def device(user_agent: str) -> str:
    """Browser and system, as far as the browser says."""
    return device_of(user_agent)


@register.simple_tag(takes_context=True)
def step_missing(context: template.Context) -> bool:
    """Whether the reader is staff who must still set up a second step."""
    request: HttpRequest = context["request"]
    return (
        isinstance(request.user, User)
        and request.user.is_staff
        and second_factor.is_missing(request)
    )
