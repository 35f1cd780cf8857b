"""The admin: where staff keep rules and records, and marketers find the best customers.

One file per area. Each registers its models on ``site`` or gives it pages through ``urls()``.
"""

from loyalty.admin import badges, brands, consents, customers, kinds, ledger
from loyalty.admin.sites import site

__all__ = ["badges", "brands", "consents", "customers", "kinds", "ledger", "site"]
