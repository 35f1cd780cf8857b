"""Two made-up brands whose story runs through the real doors, so that there is something to look at.

- ``people``: the logins, and who lives in Foxglove's story.
- ``foxglove``: a coffee roastery with four shops: its brand document, rules, badges.
- ``story``: a year of what its people do, as rows.
- ``harbour``: a small second brand, so that several brands on one installation can be seen.
- ``make``: all of it into the database, any number of times.
"""
