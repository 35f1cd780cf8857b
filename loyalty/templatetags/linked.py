"""The networks that are on, for templates."""

from typing import NamedTuple

from django import template
from django.conf import settings
from django.urls import reverse

from accounts.networks import OPENID, Network

register = template.Library()


class Door(NamedTuple):
    """A network with the address to which a form that signs in with it is sent."""

    network: Network
    address: str


@register.simple_tag
def networks() -> list[Door]:
    """Every network that is on, in the order in which they are listed."""
    return [Door(network, _address(network)) for network in settings.LAUREL_NETWORKS.values()]


def _address(network: Network) -> str:
    if network.provider == OPENID:
        return reverse("openid_connect_login", args=[network.id])
    return reverse(f"{network.provider}_login")
