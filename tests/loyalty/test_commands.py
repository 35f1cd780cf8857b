"""The management commands as an operator uses them: exit status, standard output, standard error."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Brand
from scoring.models import Action, RuleSet

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"

pytestmark = pytest.mark.django_db


@dataclass
class Run:
    """What one command did."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def run(*args: str) -> Run:
    """Run a command as a shell would, short of the process."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command(*args, stdout=out, stderr=err)
    except CommandError as error:
        status = error.returncode
        err.write(f"{error}\n")
    return Run(status, out.getvalue(), err.getvalue())


BRAND: dict[str, Any] = {
    "slug": "corner",
    "name": "The Corner",
    "time_zone": "Europe/London",
    "currency": "GBP",
    "kinds": [
        {
            "slug": "purchase",
            "label": "purchase",
            "source": "purchases",
            "unit": "money",
            "attributes": {"items": "number", "gift": "yes_no", "made_on": "date", "note": "text"},
        },
        {
            "slug": "check_in",
            "label": "check in",
            "source": "physical_visits",
            "unit": None,
            "attributes": {},
        },
    ],
    "venues": [{"slug": "soho", "name": "Soho"}],
}
SOURCES = (
    "online_engagement",
    "purchases",
    "marketing_attention",
    "physical_visits",
    "social_media",
    "product_usage",
)
RULES: dict[str, Any] = {
    "sources": {
        source: {
            "weight": 95 if source == "purchases" else 1,
            "half_life_days": None,
            "halfway_points": 100,
        }
        for source in SOURCES
    },
    "rules": [
        {
            "key": "spend",
            "type": "earn",
            "title": "1 point for every pound",
            "kinds": ["purchase"],
            "rate": "1",
        },
        {
            "key": "visit",
            "type": "earn",
            "title": "Check in",
            "kinds": ["check_in"],
            "points": 25,
            "limits": [{"per": "day", "count": 1}],
        },
    ],
}
ANNA = "email:anna@example.org"


def action(external_id: str, **fields: Any) -> dict[str, Any]:
    """One line of a file: a purchase of 24.90 by Anna, but for what is said."""
    return {
        "origin": "till",
        "external_id": external_id,
        "identifier": ANNA,
        "kind": "purchase",
        "occurred_at": "2026-03-02T10:30:00+00:00",
        "quantity": "24.90",
        **fields,
    }


class Desk:
    """A folder of files, and a brand that is set up with rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: Any) -> str:
        """Write a file: text or bytes as they are, a list as JSON lines, else JSON; its path."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, list):
            path.write_text("".join(f"{json.dumps(line)}\n" for line in content), encoding="utf-8")
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def set_up(self) -> None:
        """The corner shop, its rules published."""
        assert run("setup_brand", self.write("brand.json", BRAND)).status == 0
        rules = self.write("rules.json", RULES)
        assert run("import_rules", "corner", rules, "--effective", "always").status == 0

    def load(self, *lines: dict[str, Any]) -> Run:
        """Import JSON lines and score."""
        result = run("import_actions", "corner", self.write("actions.jsonl", list(lines)))
        assert run("score", "corner").status == 0
        return result


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty folder, no brand yet."""
    return Desk(tmp_path)


@pytest.fixture
def corner(desk: Desk) -> Desk:
    """A folder, and the corner shop with its rules."""
    desk.set_up()
    return desk


# The vectors, all the way through


@pytest.mark.parametrize("number", range(1, 11))
def test_a_vector_file_comes_out_as_expected(desk: Desk, number: int) -> None:
    """Brand, rules and records in; scores and awards out; the ledger verified."""
    path = VECTORS / f"{number}.json"
    if not path.exists():
        pytest.skip(f"NOT RUN: {path} is missing")
    vector = json.loads(path.read_text())
    slug = vector["brand"]["slug"]

    assert run("setup_brand", str(path)).status == 0
    assert run("import_rules", slug, str(path), "--effective", "always").status == 0
    records = desk.write("records.jsonl", vector["actions"])
    first = run("import_actions", slug, records)
    assert (first.status, first.err) == (0, "")
    assert (
        first.out
        == f"{len(vector['actions']):,} accepted, 0 repeated (known already), 0 refused.\n"
    )
    assert run("score", slug).status == 0

    scores = run("export_scores", slug, "--on", vector["on"]).lines
    by_identifier = {name: line for line in scores for name in line["identifiers"]}
    found = {
        name: (by_identifier[name]["points"], by_identifier[name]["score"])
        for name, wanted in vector["expected"].items()
        if wanted["points"] or name in by_identifier
    }
    assert found == {
        name: (wanted["points"], pytest.approx(wanted["score"], abs=0.001))
        for name, wanted in vector["expected"].items()
        if name in found
    }

    awards = run("export_awards", slug).lines
    assert sorted((line["external_id"], line["rule"], line["points"]) for line in awards) == sorted(
        tuple(award) for wanted in vector["expected"].values() for award in wanted["awards"]
    )
    for line in scores:
        for source, part in line["sources"].items():
            identifiers = set(line["identifiers"])
            owned = {
                a["external_id"] for a in vector["actions"] if a.get("identifier") in identifiers
            }
            assert part["points"] == sum(
                a["points"] for a in awards if a["source"] == source and a["external_id"] in owned
            )

    checked = run("verify_ledger", slug)
    assert (checked.status, checked.err) == (0, "")
    again = run("import_actions", slug, records)
    assert (
        again.out
        == f"0 accepted, {len(vector['actions']):,} repeated (known already), 0 refused.\n"
    )
    assert run("export_awards", slug).lines == awards


# setup_brand


def test_a_brand_is_set_up_from_the_object_itself_and_again_with_changes(desk: Desk) -> None:
    """The second run updates; the time zone and names follow the document."""
    assert run("setup_brand", desk.write("brand.json", BRAND)).status == 0
    changed = {"brand": {**BRAND, "name": "Corner Shop"}}
    assert run("setup_brand", desk.write("brand.json", changed)).status == 0
    assert [(b.slug, b.name) for b in Brand.objects.all()] == [("corner", "Corner Shop")]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"currency": "pounds"}, "currency"),
        ({"slug": ""}, "slug"),
        ({"colour": "#fff"}, "colour"),
        ({"kinds": [{**BRAND["kinds"][0], "source": "weather"}]}, "kinds[0].source"),
        (
            {"kinds": [{**BRAND["kinds"][0], "attributes": {"items": "float"}}]},
            "kinds[0].attributes.items",
        ),
    ],
)
def test_a_brand_document_with_a_mistake_is_refused_with_its_place(
    desk: Desk, change: dict[str, Any], place: str
) -> None:
    """The sentence names the place, and no brand is made."""
    result = run("setup_brand", desk.write("brand.json", {**BRAND, **change}))
    assert result.status == 2
    assert place in result.err
    assert not Brand.objects.exists()


# Files that cannot be read, brands that are not there


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"slug": "corner",\n "name": }', "line 2, column 10"),
        (b"\xff\xfe{", "not UTF-8"),
        ("", "line 1, column 1"),
        ("[" * 100_000, "not JSON that can be read"),
        ("[1]", ""),
        ('"brand"', ""),
        ("null", ""),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("setup_brand",),
        ("import_rules", "corner", "--effective=now"),
        ("preview_rules", "corner"),
    ],
)
def test_a_file_that_is_no_document_is_refused(
    corner: Desk, command: tuple[str, ...], content: Any, said: str
) -> None:
    """Whatever the file holds, the answer is a sentence and status 2."""
    if isinstance(content, str):
        content = content.encode()
    result = run(*command, corner.write("bad.json", content))
    assert result.status == 2
    assert said in result.err
    assert RuleSet.objects.exclude(version=None).count() == 1


@pytest.mark.parametrize(
    "command",
    [
        ("setup_brand",),
        ("import_rules", "corner", "--effective=now"),
        ("preview_rules", "corner"),
        ("import_actions", "corner"),
    ],
)
@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_opened_is_refused(
    corner: Desk, command: tuple[str, ...], name: str
) -> None:
    """A missing file, and a folder where a file is meant."""
    path = str(corner.folder / name)
    result = run(*command, path)
    assert result.status == 2
    assert f"{path} cannot be read" in result.err


@pytest.mark.parametrize(
    "command",
    [
        ("import_rules", "other", "x.json", "--effective=now"),
        ("preview_rules", "other", "x.json"),
        ("import_actions", "other", "x.jsonl"),
        ("score", "other"),
        ("export_scores", "other", "--on=2026-03-31"),
        ("export_awards", "other"),
        ("explain", "other", ANNA),
        ("verify_ledger", "other"),
    ],
)
def test_a_brand_that_is_not_there_is_refused_and_those_that_are_are_named(
    corner: Desk, command: tuple[str, ...]
) -> None:
    """The operator mistyped the slug."""
    result = run(*command)
    assert result.status == 2
    assert "There is no brand “other”" in result.err
    assert "corner" in result.err


# Rules


def test_every_problem_of_a_rule_document_is_told_on_its_own_line(corner: Desk) -> None:
    """Places and reasons, one per line; nothing is published."""
    rules = [{**RULES["rules"][0], "rate": "lots"}, {**RULES["rules"][1], "kinds": ["walk"]}]
    bad = corner.write("bad.json", {"sources": RULES["sources"], "rules": rules, "extra": 1})
    for command in (
        ("import_rules", "corner", bad, "--effective", "now"),
        ("preview_rules", "corner", bad),
    ):
        result = run(*command)
        assert result.status == 2
        places = [line.split(": ")[0] for line in result.err.splitlines()]
        for place in ("rules[0].rate", "rules[1].kinds[0]", "extra"):
            assert place in places
    assert RuleSet.objects.exclude(version=None).count() == 1


def test_rules_can_begin_at_a_day_or_a_moment(corner: Desk) -> None:
    """What was earned before stays; from the day on, the new stage holds."""
    corner.load(
        action("a", occurred_at="2026-03-02T10:00:00+00:00", quantity="10"),
        action("b", occurred_at="2026-03-10T10:00:00+00:00", quantity="10"),
    )
    doubled = {**RULES, "rules": [{**RULES["rules"][0], "rate": "2"}, RULES["rules"][1]]}
    path = corner.write("doubled.json", {"rules": doubled})
    for effective, points in (("2026-03-05", [10, 20]), ("2026-03-02T09:59:59+00:00", [20, 20])):
        assert run("import_rules", "corner", path, "--effective", effective).status == 0
        run("score", "corner")
        assert [line["points"] for line in run("export_awards", "corner").lines] == points
        path = corner.write("doubled.json", {"rules": doubled})


@pytest.mark.parametrize("effective", ["later", "2026-13-01", "", "2026-03-05T25:00"])
def test_a_moment_that_is_none_is_refused(corner: Desk, effective: str) -> None:
    """The sentence says what can be written."""
    path = corner.write("rules.json", RULES)
    result = run("import_rules", "corner", path, f"--effective={effective}")
    assert result.status == 2
    assert "Write now, always, a day" in result.err


def test_a_preview_says_who_moves_and_stores_nothing(corner: Desk) -> None:
    """Anna rises, the one without purchases does not, and every export is as before."""
    corner.load(
        action("a", quantity="50"),
        action("b", identifier="card:7", kind="check_in", quantity=None),
    )
    before = run("export_scores", "corner").out, run("export_awards", "corner").out
    doubled = {**RULES, "rules": [{**RULES["rules"][0], "rate": "2"}, RULES["rules"][1]]}
    result = run("preview_rules", "corner", corner.write("doubled.json", doubled))
    preview = json.loads(result.out)
    assert result.status == 0
    assert preview["customers"] == {"up": 1, "down": 0, "unchanged": 1}
    assert preview["points"] == {"added": 50, "taken": 0}
    assert len(preview["rises"]) == 1
    assert preview["falls"] == []
    assert preview["distribution"]
    assert (run("export_scores", "corner").out, run("export_awards", "corner").out) == before
    assert RuleSet.objects.filter(version=None).count() == 0


# Actions


def test_bad_lines_are_told_by_number_and_good_lines_are_kept(corner: Desk) -> None:
    """Each kind of mistake on a line of its own, between good lines."""
    good = json.dumps(action("good-1"))
    lines: list[tuple[bytes, str]] = [
        (good.encode(), ""),
        (b'{"origin": "till", "external_id": ', "JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[1, 2]", "object"),
        (json.dumps(action("x1", kind="walk")).encode(), "kind"),
        (json.dumps(action("x2", venue="leeds")).encode(), "venue"),
        (json.dumps(action("x3", quantity="-1")).encode(), "quantity"),
        (json.dumps(action("x4", quantity="lots")).encode(), "quantity"),
        (json.dumps(action("x5", occurred_at="yesterday")).encode(), "occurred_at"),
        (json.dumps(action("x6", occurred_at="2026-03-02T10:30:00")).encode(), "occurred_at"),
        (json.dumps(action("x7", occurred_at="2999-01-01T00:00:00+00:00")).encode(), "occurred_at"),
        (json.dumps(action("x8", colour="red")).encode(), "colour"),
        (json.dumps(action("x9", attributes={"items": "two"})).encode(), "items"),
        (json.dumps(action("x10", attributes={"size": 2})).encode(), "size"),
        (json.dumps(action("x11", identifier="anna")).encode(), "identifier"),
        (json.dumps(action("x12", state="maybe")).encode(), "state"),
        (json.dumps({**action("x13"), "type": "gift"}).encode(), "type"),
        (json.dumps({k: v for k, v in action("x14").items() if k != "origin"}).encode(), "origin"),
        (json.dumps(action("good-1", quantity="30")).encode(), ""),
        (json.dumps(action("x15", channel="we\u0000b")).encode(), "channel"),
        (b'{"origin": "till", "external_id": "x16\\ud800"}', ""),
        (b'{"origin": "till", "external_id": NaN}', "JSON"),
        (b'{"type": [1], "origin": "till"}', "type"),
        (b"", ""),
        (json.dumps(action("good-2", attributes={"items": 2, "gift": True})).encode(), ""),
    ]
    path = corner.write("mixed.jsonl", b"\n".join(line for line, _said in lines))
    result = run("import_actions", "corner", path)

    refused = {
        int(line.split()[1].rstrip(":")): line
        for line in result.err.splitlines()
        if line.startswith("line ")
    }
    assert result.status == 2
    assert sorted(refused) == list(range(2, 24))
    for number, (_line, said) in enumerate(lines, start=1):
        assert said in refused.get(number, said)
    assert result.out == "2 accepted, 0 repeated (known already), 22 refused.\n"
    assert sorted(Action.objects.values_list("external_id", flat=True)) == ["good-1", "good-2"]
    assert Action.objects.get(external_id="good-1").quantity == Decimal("24.90")


def test_amendments_may_stand_before_their_actions(corner: Desk) -> None:
    """A correction, a void and a decision first, then what they are about."""
    at = "2026-03-03T10:00:00+00:00"
    corner.load(
        {"type": "correction", "origin": "till", "external_id": "r", "action": "a",
         "quantity": "10", "corrected_at": at},
        {"type": "void", "origin": "till", "external_id": "v", "action": "b", "at": at},
        {"type": "decision", "origin": "till", "external_id": "d", "action": "c",
         "accepted": True, "at": at},
        action("a"), action("b"), action("c", state="pending"), action("d", state="pending"),
    )  # fmt: skip
    awards = {line["external_id"]: line["points"] for line in run("export_awards", "corner").lines}
    assert awards == {"a": 10, "c": 24}


HEADER = "origin,external_id,identifier,kind,occurred_at,quantity,attributes.items,attributes.gift,attributes.made_on"


def test_a_csv_file_says_the_same_as_json_lines(corner: Desk) -> None:
    """Attributes typed as the kind declares them; the same action as JSON is a repeat."""
    attributes = {"items": 2, "gift": True, "made_on": "2026-01-31"}
    rows = [
        HEADER,
        f"till,a,{ANNA},purchase,2026-03-02T10:30:00+00:00,24.90,2,yes,2026-01-31",
        f"till,b,{ANNA},check_in,2026-03-02T10:30:00+00:00,,,,",
    ]
    path = corner.write("actions.csv", "\ufeff" + "\r\n".join(rows))
    first = run("import_actions", "corner", path)
    assert (first.status, first.err) == (0, "")
    assert Action.objects.get(external_id="a").attributes == attributes
    assert Action.objects.get(external_id="b").quantity is None
    again = corner.load(
        action("a", attributes=attributes), action("b", kind="check_in", quantity=None)
    )
    assert again.out.startswith("0 accepted, 2 repeated")


def test_csv_lines_with_mistakes_are_told_and_the_others_kept(corner: Desk) -> None:
    """Too few cells, a stray quotation mark, a wrong type, bytes of another encoding."""
    at = "2026-03-02T10:30:00+00:00"
    rows = [
        HEADER.replace(",", ";"),
        f"till;a;{ANNA};purchase;{at};1;;;",
        f"till;b;{ANNA};purchase",
        f'till;c;"{ANNA};purchase;{at};1;;;',
        f"till;d;{ANNA};purchase;{at};1;two;;",
        f"till;e;{ANNA};purchase;{at};1;;perhaps;",
        f"till;f;{ANNA};walk;{at};1;;;",
        f"till;é;{ANNA};purchase;{at};1;;;",
        f"till;g;{ANNA};purchase;{at};1;;;",
    ]
    path = corner.write("actions.csv", "\n".join(rows).encode("latin-1"))
    result = run("import_actions", "corner", path)
    numbers = [int(line.split()[1].rstrip(":")) for line in result.err.splitlines()[:-1]]
    assert (result.status, numbers) == (2, [3, 4, 5, 6, 7, 8])
    assert sorted(Action.objects.values_list("external_id", flat=True)) == ["a", "g"]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER.replace("kind,", ""), "kind: The header has no such column"),
        (f"{HEADER},shoe", "shoe: The header has a column that is not known"),
        (f"{HEADER},quantity", "quantity: The header has this column twice"),
        ("", "The file is empty"),
    ],
)
def test_a_csv_header_with_a_mistake_is_refused(corner: Desk, header: str, said: str) -> None:
    """Nothing below it is read."""
    result = run("import_actions", "corner", corner.write("actions.csv", header))
    assert result.status == 2
    assert said in result.err


def test_a_file_of_another_kind_is_refused(corner: Desk) -> None:
    """Neither .jsonl nor .csv."""
    result = run("import_actions", "corner", corner.write("actions.xlsx", b"PK"))
    assert result.status == 2
    assert ".csv" in result.err


ODD: list[Any] = [
    None, True, -1, 1.5, 10**30, "", "x", "1e999999999", "\x00", "\ud800", [], [1], {}, {"a": 1},
    "2026-02-30T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
]  # fmt: skip


def spoiled(value: Any) -> Iterator[Any]:
    """The document with each of its places in turn replaced by each odd value, or left out."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield {name: other for name, other in value.items() if name != key}
            for odd in spoiled(inside):
                yield {**value, key: odd}
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            for odd in spoiled(inside):
                yield [*value[:number], odd, *value[number + 1 :]]
    yield from ODD


def test_whatever_a_record_holds_it_is_told_and_never_ends_the_import(corner: Desk) -> None:
    """Each place of each type of record with each odd value, a thousand lines; the last line is kept."""
    at = "2026-03-03T10:00:00+00:00"
    record = action("r", channel="web", venue="soho", state="pending", currency="GBP")
    record |= {"attributes": {"items": 2, "gift": True, "made_on": "2026-01-31", "note": "n"}}
    amendments: list[dict[str, Any]] = [
        {"type": "correction", "origin": "till", "external_id": "c", "action": "r",
         "quantity": "10", "corrected_at": at},
        {"type": "void", "origin": "till", "external_id": "v", "action": "r", "at": at, "reason": "x"},
        {"type": "decision", "origin": "till", "external_id": "d", "action": "r",
         "accepted": True, "at": at, "reason": "x"},
    ]  # fmt: skip
    lines = [odd for one in (record, *amendments) for odd in spoiled(one)]
    lines += [{**one, "type": odd} for one in (record, *amendments) for odd in ODD]
    result = run("import_actions", "corner", corner.write("odd.jsonl", [*lines, action("last")]))
    assert result.status == 2
    assert Action.objects.filter(external_id="last").exists()
    counts = [int(part.split()[0].replace(",", "")) for part in result.out.split(", ")]
    assert sum(counts) == len(lines) + 1
    assert run("score", "corner").status == 0
    assert run("verify_ledger", "corner").status == 0


@pytest.mark.parametrize(
    ("command", "document"),
    [
        (("setup_brand",), {**BRAND, "slug": "odd"}),
        (("preview_rules", "corner"), {**RULES, "rules": RULES["rules"][1:]}),
    ],
)
def test_whatever_a_document_holds_it_is_used_or_refused(
    corner: Desk, command: tuple[str, ...], document: dict[str, Any]
) -> None:
    """Each place of it with each odd value: status 0 or 2, never an exception of another kind."""
    for odd in spoiled(document):
        path = corner.write("odd.json", json.dumps(odd).encode())
        assert run(*command, path).status in (0, 2)


def test_a_window_far_from_any_calendar_is_refused(corner: Desk) -> None:
    """A moment that a database cannot read back must not get in, or the brand could never publish again."""
    rules = [{**RULES["rules"][0], "starts": "0001-01-01T00:00:00+14:00"}]
    far = corner.write("far.json", {**RULES, "rules": rules})
    result = run("import_rules", "corner", far, "--effective", "always")
    assert result.status == 2
    assert "rules[0].starts" in result.err


# Out


def test_a_score_is_written_with_three_decimals_and_six_sources(corner: Desk) -> None:
    """One line a customer, with every identifier, in the order of the six sources."""
    corner.load(action("a", quantity="100"))
    result = run("export_scores", "corner", "--on", "2026-03-31")
    [line] = result.lines
    assert '"score":475.000' in result.out
    assert line["points"] == 100
    assert ANNA in line["identifiers"]
    assert tuple(line["sources"]) == SOURCES
    assert line["sources"]["purchases"] == {"sub_score": 50.0, "points": 100}


@pytest.mark.parametrize("command", ["export_scores", "explain"])
def test_a_day_that_is_none_is_refused(corner: Desk, command: str) -> None:
    """The sentence says how a day is written."""
    corner.load(action("a"))
    extra = [ANNA] if command == "explain" else []
    result = run(command, "corner", *extra, "--on=31.03.2026")
    assert result.status == 2
    assert "YYYY-MM-DD" in result.err


def test_an_explanation_sums_to_the_score_and_says_what_limits_took(corner: Desk) -> None:
    """Two check-ins on a day: the second is there, with its reason and no points."""
    corner.load(
        action("a", quantity="100"),
        action("b", kind="check_in", quantity=None),
        action("c", kind="check_in", quantity=None, occurred_at="2026-03-02T12:00:00+00:00"),
    )
    [line] = run("export_scores", "corner").lines
    told = run("explain", "corner", ANNA)
    assert told.status == 0
    assert told.out.splitlines()[-1].split()[-1] == f"{line['score']:.3f}"
    assert "till c" in told.out
    assert "-25 " in told.out
    as_json = json.loads(run("explain", "corner", ANNA, "--json").out)
    worth = sum(
        Decimal(str(part["worth"])) for source in as_json["sources"] for part in source["lines"]
    )
    assert worth == Decimal(str(line["score"])).quantize(Decimal("0.001"))


@pytest.mark.parametrize("identifier", ["email:nobody@example.org", "anna"])
def test_an_explanation_of_nobody_is_refused(corner: Desk, identifier: str) -> None:
    """An identifier that is unknown, and one that is none."""
    result = run("explain", "corner", identifier)
    assert result.status == 2
    assert identifier.rpartition(":")[2] in result.err


def test_the_ledger_is_verified_and_a_difference_has_its_place(corner: Desk) -> None:
    """A posting that no action justifies: status 1, and the customer, action and rule are named."""
    from scoring.models import Posting

    corner.load(action("a"))
    good = run("verify_ledger", "corner")
    assert good.status == 0
    assert "equals" in good.out
    posting = Posting.objects.get()
    posting.pk = None
    posting.save(force_insert=True)
    bad = run("verify_ledger", "corner")
    assert bad.status == 1
    assert "rule spend, source purchases, on 2026-03-02: should be 24, is 48" in bad.out
    assert "places differ" in bad.err
    as_json = json.loads(run("verify_ledger", "corner", "--json").out)
    assert as_json["differences"][0]["rule"] == "spend"
