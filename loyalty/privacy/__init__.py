"""Taking one's data along, and leaving.

``fields`` says of every stored field what it is and what becomes of it; ``person`` finds what belongs to somebody;
``download`` writes it as one document; ``erase`` makes a customer, or a login with everything, nobody's; ``erasures``
is the list by which that is done again after a restore. Tests hold the two against the first.
"""
