"""English: 24 November 2026, in the order in which all pages write their days."""

DATE_FORMAT = "j F Y"
