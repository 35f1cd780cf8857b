"""Birdsong: a small social network that exists only in the demo, as a process of its own.

It has its own settings, database, cookies and signing key, and knows Laurel as any network would: as an application
that is registered with it. To link an account there is the genuine thing, without anybody's network.

- ``people``: who is on it, and what they chirp.
- ``settings``, ``site``, ``provider``: the site, and what it tells of people as an OpenID Connect provider.
- ``__main__``: makes it ready and serves it.
"""

import hashlib
import hmac
from typing import Final

CLIENT_ID: Final = "laurel"


def client_secret(key: str) -> str:
    """The secret with which Laurel signs in at Birdsong's own door; both make it from Laurel's secret key."""
    return hmac.new(key.encode(), b"laurel at birdsong", hashlib.sha256).hexdigest()
