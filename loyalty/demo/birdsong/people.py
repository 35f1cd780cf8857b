"""Who is on Birdsong, and what they chirp. Some of it is about Foxglove, which hears of it under their handles."""

from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

PASSWORD: Final = "dawn-chorus"  # noqa: S105 - shown on the page where it is asked for
ZONE: Final = ZoneInfo("Europe/London")


class Chirp(NamedTuple):
    """One post: how many days before the demo was first made, at what hour, and of what if it is about Foxglove."""

    days_ago: int
    hour: float
    text: str
    topic: str = ""

    def at(self, anchor: date) -> datetime:
        """When it was, the demo having been made on the day ``anchor``."""
        minutes = int(self.hour * 60)
        day = anchor - timedelta(days=self.days_ago)
        return datetime.combine(day, time(minutes // 60, minutes % 60), ZONE)


class Bird(NamedTuple):
    """Somebody on Birdsong."""

    number: int
    handle: str
    name: str
    about: str
    chirps: tuple[Chirp, ...]

    @property
    def identifier(self) -> str:
        """Under which Foxglove hears of them."""
        return f"birdsong:@{self.handle}"


ROWAN: Final = Bird(
    1,
    "rowan",
    "Rowan Tillery",
    "Filter coffee, wet hills, second-hand atlases.",
    (
        Chirp(3, 8.2, "Night Bell at @foxglove this morning. Cherry and cocoa, no queue.", "new beans"),
        Chirp(5, 21.1, "Rain on the tent all night. Would do it again."),
        Chirp(9, 17.5, "The window seat at @foxglove Canal Lane is the best desk in town.", "a quiet corner"),
        Chirp(16, 9.4, "My first heart in milk that looks like a heart. Thank you @foxglove.", "latte art"),
        Chirp(24, 12.8, "Found a 1958 atlas with my street still a field."),
        Chirp(30, 15.0, "Cupping at @foxglove: five coffees, one clear winner, no agreement.", "tasting"),
        Chirp(44, 10.6, "@foxglove roasts on Tuesdays. You can smell it from the bridge.", "the roastery"),
    ),
)  # fmt: skip
SORREL: Final = Bird(
    2,
    "sorrel",
    "Sorrel Eastry",
    "Allotment, oboe, far too many cups.",
    (
        Chirp(2, 9.0, "Two bags of First Frost from @foxglove. One was meant as a gift.", "new beans"),
        Chirp(4, 18.3, "The beans came up. The other kind."),
        Chirp(8, 8.7, "@foxglove Lavender Yard knows my order. I feel seen.", "a quiet corner"),
        Chirp(12, 13.4, "A swan out of milk! @foxglove, who taught you this?", "latte art"),
        Chirp(19, 16.2, "Grinder set two notches finer, as @foxglove said. They were right.", "my filter"),
        Chirp(27, 20.0, "Oboe reed split in bar four. Played on."),
        Chirp(33, 11.1, "Took my mother to the tasting at @foxglove. She now has opinions.", "tasting"),
        Chirp(51, 10.2, "A tour of the roastery of @foxglove. Warm, loud, wonderful.", "the roastery"),
        Chirp(75, 9.5, "Hedgerow is back at @foxglove. So am I.", "new beans"),
    ),
)  # fmt: skip
JUNIPER: Final = Bird(
    3,
    "juniper",
    "Juniper Vale",
    "Runs a bookshop that sells mostly tea towels.",
    (
        Chirp(6, 17.0, "Closed early, went to @foxglove, finished a whole novel.", "a quiet corner"),
        Chirp(14, 12.0, "Tea towels with herons are in."),
        Chirp(21, 8.9, "@foxglove on Exmouth Row does a moka pot class. Going.", "tasting"),
    ),
)  # fmt: skip
PIPIT: Final = Bird(
    4,
    "pipit",
    "Pip Marlstone",
    "New here. Says little, likes everything.",
    (Chirp(1, 19.7, "Hello, Birdsong."),),
)

BIRDS: Final = (ROWAN, SORREL, JUNIPER, PIPIT)
"""Of these, Juniper is linked by a customer of Foxglove already, and Pipit has said nothing about coffee."""
