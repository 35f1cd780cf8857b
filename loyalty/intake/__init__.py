"""The doors: one file each, turning what arrives into plain rows for ``scoring.actions``. No rule is known here.

- ``purchases``: a customer claims a purchase on our pages.
- ``check_ins``: a customer checks in at a venue by its code.
- ``usage``: a customer records product use.
- ``files``: JSON lines and CSV.

``forms`` is what the first three share, ``photos`` takes the picture that may come with a claim, and ``objections``
what customers hold against how something was counted.
"""
