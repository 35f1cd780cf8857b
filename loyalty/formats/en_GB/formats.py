"""British English: 24 November 2026, 15:04."""

DATE_FORMAT = "j F Y"
TIME_FORMAT = "H:i"
