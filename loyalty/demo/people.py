"""Who lives in the demo: the logins to try, and some two hundred people with habits.

Everyone is made up, and every address ends in a domain that is reserved for examples. A person's
days are counted from the day the demo was first made (``begins=-200``: two hundred days before it),
so that the newcomer of yesterday is still the newcomer of that day when the story goes on.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

SEED: Final = 2411


class Login(NamedTuple):
    """One way to sign in. Signing in by an e-mailed code works too: the code is in the console."""

    email: str
    password: str
    name: str


CUSTOMER: Final = Login("rowan@example.org", "foxglove-rowan", "Rowan Tillery")
MANAGER: Final = Login("manager@foxglove.example", "foxglove-manager", "Imke Stroud")
MARKETER: Final = Login("marketer@foxglove.example", "foxglove-marketer", "Dov Pennick")
LOGINS: Final = {"customer": CUSTOMER, "staff": MANAGER, "marketer": MARKETER}
"""Those to begin with."""

STAFF: Final = {
    "owner": Login("owner@foxglove.example", "foxglove-owner", "Senna Quillfeather"),
    "manager": MANAGER,
    "rule_editor": Login("rule-editor@foxglove.example", "foxglove-rule-editor", "Perrin Ashdown"),
    "reviewer": Login("reviewer@foxglove.example", "foxglove-reviewer", "Odile Marchbanks"),
    "marketer": MARKETER,
    "till": Login("till@foxglove.example", "foxglove-till", "Jory Tamblyn"),
}
"""One of each role with Foxglove; each password is ``foxglove-`` and the address up to the ``@``."""

NEVER: Final = (0.0,) * 7


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person's habits. Chances are per day, per newsletter or per event; the week begins on Monday."""

    number: int
    habit: str
    name: str
    email: str = ""
    card: str = ""
    handle: str = ""
    begins: int = -365
    ends: int = 10_000
    joins: int | None = None
    on_board: bool = False
    home: str = "exmouth-row"
    visits: tuple[float, ...] = NEVER
    hours: tuple[float, float] = (9, 17)
    basket: tuple[float, float] = (3.2, 5.6)
    checks_in: float = 0
    roams: float = 0
    takes_beans: float = 0
    orders: float = 0
    gifts: bool = False
    subscribes_on: int = 0
    browses: float = 0
    clicks: float = 0
    posts: float = 0
    brews: float = 0
    tastes: float = 0
    reviews: float = 0
    claims: float = 0
    term_only: bool = False
    away: tuple[int, int] = field(default=(-110, -98))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words(
    "Ada Amos Anouk Bea Bram Calla Cato Cyra Dara Dilys Edda Efe Elian Enid Fenna Finn Gwil Hale Hebe "
    "Ilse Ines Ivo Jory Juno Kaya Kit Lark Leif Linnet Lowri Maeve Merle Mika Nell Niko Noor Odile Orla "
    "Oska Perrin Petra Quill Rafe Rhian Runa Sami Senna Sorrel Tace Tamsin Teo Tilde Una Vesper Vida "
    "Wilf Wren Yael Yusra Zadie"
)
LAST = _words(
    "Alderwick Ambleton Barrowby Beckhythe Birchall-Rowe Blanchmore Brackenby Bramhope Calloway-Finch "
    "Catterick-Dunn Coldbrook Copperwheat Dallimore-Voss Dewbury Eastry Elmsthorpe Fallowes Farrowdale "
    "Fernsby Gannick Gorsefield Greyling-Moss Hartsop Hollowell Inchbold Kestle Kettlewyn Larkham-Bowe "
    "Lindop-Hay Marlstone Merrowby Millbourne-Ash Netherby-Cole Oakhampstead Orchardine Pellowick "
    "Penhallam Quenby Ravensholt Rushmarsh Saltersby Sedgewarren Silverlock Tarrowin Thornwater "
    "Underbarrow Vennamore Wexcombe Whinfell Yarrowick"
)
HANDLES = _words("brew crema filter bloom grind roast pour moka ristretto arabica")


def make_people(*, shops: tuple[str, ...]) -> list[Person]:
    """The same people every time: the demo's customer first, then everyone else by habit.

    ``shops`` are the venues' slugs; the last one is the shop that opens in May.
    """
    rng = Random(SEED)  # noqa: S311
    old_shops = shops[:-1]
    people = [_rowan(shops)]
    names = iter(_full_names(rng))

    def add(count: int, habit: str, **traits: object) -> None:
        for _ in range(count):
            number = len(people)
            people.append(_person(rng, number, next(names), habit, old_shops, traits))

    mornings = (7.2, 9.2)
    add(
        34,
        "commuter",
        visits=(0.75, 0.8, 0.8, 0.75, 0.6, 0.04, 0.02),
        hours=mornings,
        browses=0.15,
        clicks=0.4,
        checks_in=0.7,
        takes_beans=0.04,
        brews=0.1,
        posts=0.01,
        reviews=0.005,
    )
    add(
        28,
        "weekend family",
        visits=(0, 0, 0.05, 0, 0.08, 0.7, 0.55),
        hours=(9.8, 13.0),
        basket=(14, 31),
        checks_in=0.75,
        clicks=0.6,
        browses=0.22,
        reviews=0.02,
        brews=0.3,
        roams=0.1,
        posts=0.015,
        takes_beans=0.08,
    )
    add(
        24,
        "remote worker",
        visits=(0.4, 0.55, 0.55, 0.5, 0.45, 0.1, 0),
        hours=(9.2, 15.5),
        basket=(6, 13),
        checks_in=0.85,
        roams=0.25,
        browses=0.35,
        clicks=0.55,
        brews=0.3,
        posts=0.03,
        takes_beans=0.06,
        reviews=0.02,
        tastes=0.1,
    )
    add(
        12,
        "lapsed fan",
        visits=(0.6, 0.7, 0.7, 0.7, 0.6, 0.2, 0.05),
        hours=(7.5, 10.0),
        basket=(4, 8),
        checks_in=0.7,
        browses=0.15,
        clicks=0.5,
        brews=0.2,
        orders=0.02,
        ends=-130,
    )
    add(
        10,
        "newcomer",
        visits=(0.3, 0.4, 0.4, 0.4, 0.4, 0.35, 0.2),
        hours=(8.0, 15.0),
        basket=(4, 9),
        checks_in=0.8,
        browses=0.3,
        clicks=0.5,
        begins=-24,
    )
    add(22, "gift buyer", gifts=True, browses=0.02, clicks=0.15, begins=-365)
    add(
        22,
        "beans subscriber",
        orders=0.012,
        browses=0.3,
        clicks=0.6,
        brews=0.7,
        reviews=0.03,
        posts=0.03,
        subscribes_on=1,
    )
    add(
        12,
        "enthusiast",
        visits=(0.3, 0.4, 0.4, 0.4, 0.5, 0.6, 0.4),
        hours=(9.0, 16.0),
        basket=(5, 14),
        checks_in=0.98,
        roams=0.6,
        browses=0.45,
        clicks=0.8,
        posts=0.2,
        brews=0.7,
        tastes=0.8,
        reviews=0.08,
        takes_beans=0.14,
        orders=0.02,
    )
    add(
        12,
        "student",
        visits=(0.2, 0.3, 0.35, 0.3, 0.3, 0.1, 0.15),
        hours=(13.0, 17.0),
        basket=(2.6, 4.2),
        checks_in=0.85,
        posts=0.06,
        browses=0.1,
        clicks=0.1,
        term_only=True,
    )
    add(15, "passer-by", visits=(0.02, 0.02, 0.02, 0.03, 0.03, 0.04, 0.03))
    add(8, "follower", posts=0.1)
    return people


def _rowan(shops: tuple[str, ...]) -> Person:
    return Person(
        number=0, habit="regular", name=CUSTOMER.name, email=CUSTOMER.email, card="card:200001",
        handle="mastodon:@rowan@social.example", begins=-330, joins=-310, on_board=True, home=shops[1],
        visits=(0.05, 0.2, 0.1, 0.25, 0.15, 0.3, 0.1), hours=(8.3, 14.5), basket=(4.5, 11), checks_in=0.75,
        roams=0.3, takes_beans=0.06, orders=0.005, browses=0.2, clicks=0.35, posts=0.03, brews=0.3,
        tastes=0.3, reviews=0.01, claims=0.005,
    )  # fmt: skip


def _full_names(rng: Random) -> list[tuple[str, str]]:
    """Everyone's first and last name, no pair twice."""
    pairs = [(first, last) for first in FIRST for last in LAST]
    return rng.sample(pairs, 250)


def _person(
    rng: Random,
    number: int,
    full_name: tuple[str, str],
    habit: str,
    shops: tuple[str, ...],
    traits: dict[str, object],
) -> Person:
    liveliness = rng.triangular(0.25, 1.35, 0.75)
    plan: dict[str, object] = dict(traits)
    for name in (
        "browses",
        "clicks",
        "posts",
        "brews",
        "reviews",
        "orders",
        "takes_beans",
        "tastes",
    ):
        plan[name] = min(0.95, float(str(plan.get(name, 0))) * liveliness * rng.uniform(0.3, 1.5))
    visits = plan.get("visits", NEVER)
    assert isinstance(visits, tuple)
    plan["visits"] = tuple(min(0.97, chance * liveliness) for chance in visits)
    plan["checks_in"] = min(0.98, float(str(plan.get("checks_in", 0))) * rng.uniform(0.5, 1.3))
    begins = _begins(rng, habit)
    plan["begins"] = begins
    plan["ends"] = -rng.randint(80, 190) if habit == "lapsed fan" else 10_000
    away = rng.randint(-150, -90)
    plan["away"] = (away, away + rng.randint(7, 16))
    plan["home"] = rng.choice(shops)
    if habit == "beans subscriber":
        plan["subscribes_on"] = rng.randint(1, 28)
    plan |= _known_by(rng, number, habit, *full_name)
    claimed = plan.get("email") and habit not in ("passer-by", "follower") and rng.random() < 0.78
    if habit == "newcomer":
        claimed = True
    if claimed:
        plan["joins"] = min(-1, begins + rng.choice((0, 0, 1, 3, 10, 30)))
        plan["on_board"] = rng.random() < 0.53 and habit != "gift buyer"
        plan["claims"] = rng.choice((0, 0, 0.01, 0.03)) if habit != "gift buyer" else 0
    return Person(number=number, habit=habit, name=" ".join(full_name), **plan)  # type: ignore[arg-type]


def _begins(rng: Random, habit: str) -> int:
    if habit == "newcomer":
        return -rng.choice((1, 2, 4, 7, 9, 12, 15, 18, 21, 24))
    if habit in ("lapsed fan", "gift buyer") or rng.random() < 0.45:
        return -365
    return -rng.randint(30, 360)


def _known_by(rng: Random, number: int, habit: str, first: str, last: str) -> dict[str, object]:
    """What the shop's systems know the person by."""
    plain = f"{first}.{last}".lower().replace("-", "")
    names: dict[str, object] = {}
    if habit not in ("passer-by", "follower"):
        names["email"] = f"{plain}@example.org"
    if habit not in ("gift buyer", "beans subscriber", "follower"):
        names["card"] = f"card:{200_001 + number * 7}"
    if habit in ("enthusiast", "follower", "student") or rng.random() < 0.35:
        names["handle"] = f"mastodon:@{first.lower()}_{rng.choice(HANDLES)}{number}@social.example"
    return names
