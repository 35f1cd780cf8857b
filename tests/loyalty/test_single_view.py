"""The single view: all of one customer on a page, and what staff do about whose identifiers are whose."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from time_machine import travel

from accounts import identity
from accounts.choices import pause_score, switch_source
from accounts.models import (
    Brand,
    Consent,
    Customer,
    DataUse,
    Dispute,
    Identifier,
    LinkCode,
    LinkEvent,
    Purpose,
    StaffRole,
    User,
)
from accounts.uses import uses_of
from loyalty.admin.link_codes import MOST_LOOK_UPS
from scoring.actions import ActionRow, record_actions
from scoring.models import Score, Source
from tests.people import MONDAY, Person, join, record, score_all_due
from tests.statements import counted

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(hours=8)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Iterator[None]:
    with travel(NOW, tick=False):
        yield


def staff(brand: Brand, role: StaffRole.Role, email: str = "") -> Client:
    """A browser of somebody who works for the brand."""
    user, _is_new = User.objects.get_or_create(email=email or f"{role}@staff.example")
    StaffRole.objects.create(brand=brand, user=user, role=role)
    return Person(user, brand).client()


def report(brand: Brand, identifier: str, *quantities: int) -> Customer:
    """Purchases that the till reported under an identifier, scored; gives whose they are."""
    rows = [
        ActionRow(
            origin="till",
            external_id=f"{identifier}-{n}",
            identifier=identifier,
            kind="purchase",
            occurred_at=MONDAY + timedelta(minutes=n),
            quantity=Decimal(n),
        )
        for n in quantities
    ]
    assert all(one.action_id for one in record_actions(brand=brand, rows=rows, now=NOW))
    score_all_due(brand, now=NOW)
    scheme, value = identity.parse_identifier(identifier)
    return Customer.objects.get(
        identifiers__brand=brand, identifiers__scheme=scheme, identifiers__value=value
    )


def page_of(customer: Customer) -> str:
    """The address of a customer's page."""
    return reverse("admin:accounts_customer_change", args=[customer.pk])


def address(name: str, customer: Customer) -> str:
    """The address of something done to a customer."""
    return reverse(f"admin:{name}", args=[customer.brand.slug, customer.pk])


def text_of(response: Any) -> str:
    """What a page says, without its tags."""
    text = re.sub(
        r"<(script|style|svg).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL
    )
    return " ".join(unescape(text).split())


def points(customer: Customer) -> int:
    """What a customer has once everything due is scored."""
    score_all_due(customer.brand, now=NOW)
    score = Score.objects.filter(customer=customer).first()
    return score.points if score else 0


@pytest.fixture
def rowan(customer: Person) -> Customer:
    """Foxglove's customer with a purchase, a check-in, a claim that waits and a card of hers."""
    found = customer.customer
    assert found
    record(
        found,
        ("purchase", MONDAY, "24.90"),
        ("check_in", MONDAY + HOUR),
        ("purchase", MONDAY + 2 * HOUR, "8.50", "pending"),
    )
    report(found.brand, "card:8123", 10, 20)
    proof = Identifier.Proof.CODE
    identity.link_identifier(customer=found, text="card:8123", proof=proof, now=NOW)
    score_all_due(found.brand, now=NOW)
    return found


# --- the list


def test_what_is_hidden_of_an_identifier_is_not_found_out_letter_by_letter(
    rowan: Customer, manager: Person
) -> None:
    reviewer = staff(rowan.brand, StaffRole.Role.REVIEWER)
    url = reverse("admin:accounts_customer_changelist")

    def found(client: Client, term: str) -> bool:
        return str(rowan) in text_of(client.get(url, {"q": term}))

    for part in ("rowan@", "owan@example", "812"):
        assert found(manager.client(), part), part
        assert not found(reviewer, part), part
    for whole in ("rowan@example.org", "Rowan@Example.org", "email:rowan@example.org", "8123"):
        assert found(reviewer, whole), whole


# --- the page


def test_everything_of_one_customer_is_on_one_page(rowan: Customer, manager: Person) -> None:
    consent = Consent.objects.create(
        customer=rowan,
        purpose=Purpose.NEWS,
        channel="email",
        given=True,
        wording="May Foxglove send you news?",
        version="laurel-1",
        language="en",
        way="page",
        at=NOW - HOUR,
    )
    said = text_of(manager.client().get(page_of(rowan)))
    for wanted in (
        "rowan@example.org",
        "Card 8123",
        "code on the card or from the till",
        "signed in with it",
        str(rowan.public_id),
        "1 claim waits",
        consent.wording,
        "Wording laurel-1, en, on the page of choices",
        "Agreed: General news",
        "Linked: Card 8123",
        "Check-in",
        "waits for review",
        "Joined",
        "Receipt of the score",
    ):
        assert wanted in said, wanted
    assert said.count("till") > 3


def test_the_receipt_is_the_one_that_the_customer_sees(
    rowan: Customer, manager: Person, customer: Person
) -> None:
    theirs = customer.client().get("/b/foxglove/score/explained").context["explanation"]
    context = manager.client().get(page_of(rowan)).context
    assert context["explanation"]["score"] == theirs.score > 0
    assert len(context["explanation"]["sources"]) == 6
    assert sum(part["worth"] for part in context["explanation"]["sources"]) == theirs.score


def test_the_timeline_goes_on_page_by_page(rowan: Customer, manager: Person) -> None:
    record(rowan, *(("usage", MONDAY - n * HOUR, 1) for n in range(90)), now=NOW)
    client, seen, query = manager.client(), 0, ""
    for _page in range(5):
        context = client.get(page_of(rowan) + query).context
        seen += len(context["events"])
        query = "?" + f"before={context['older'].replace('+', '%2B')}"
        if not context["older"]:
            break
    assert seen == 90 + 8
    for nonsense in ("x", "2026-11-23_action_1", "2026-13-45T99:00_action_1", "a_b_" + "9" * 40):
        assert client.get(page_of(rowan), {"before": nonsense}).status_code == 200


def test_what_a_customer_switched_off_is_not_shown(rowan: Customer, manager: Person) -> None:
    client = manager.client()
    switch_source(customer=rowan, source=Source.PHYSICAL_VISITS, on=False, now=NOW)
    said = text_of(client.get(page_of(rowan)))
    assert "Switched off Visits" in said
    assert "Check-in" not in said.split("Timeline")[1]
    pause_score(customer=rowan, now=NOW)
    page = client.get(page_of(rowan))
    assert "There is no score, no rank and no profile" in text_of(page)
    assert page.context["explanation"] is None
    assert not [event for event in page.context["events"] if event.get("points")]


def test_opening_the_page_is_recorded_once_a_day_for_each_of_staff(
    rowan: Customer, manager: Person
) -> None:
    other = staff(rowan.brand, StaffRole.Role.MARKETER)
    for client in (manager.client(), manager.client(), other):
        assert "Opening this page is a use" in text_of(client.get(page_of(rowan)))
    uses = DataUse.objects.filter(members__customer=rowan)
    assert sorted(uses.values_list("type", "role")) == [("look", "manager"), ("look", "marketer")]
    with travel(NOW + timedelta(days=1), tick=False):
        manager.client().get(page_of(rowan))
    assert uses.count() == 3


WRITTEN_OUT = {StaffRole.Role.OWNER: True, StaffRole.Role.MANAGER: True}


@pytest.mark.parametrize(
    "role",
    [
        role
        for role in StaffRole.Role
        if role not in {StaffRole.Role.TILL, StaffRole.Role.RULE_EDITOR}
    ],
)
def test_identifiers_are_written_out_only_for_who_merges_customers(
    rowan: Customer, role: StaffRole.Role
) -> None:
    client = staff(rowan.brand, role)
    # The list and the page say the same.
    for url in (page_of(rowan), reverse("admin:accounts_customer_changelist")):
        page = client.get(url).content.decode()
        assert ("rowan@example.org" in page) == WRITTEN_OUT.get(role, False)
        assert ("8123" in page) == WRITTEN_OUT.get(role, False)
        assert ("r•••@example.org" in page) != WRITTEN_OUT.get(role, False)


def test_a_customer_is_found_by_whatever_names_them(rowan: Customer, manager: Person) -> None:
    url = reverse("admin:accounts_customer_changelist")
    for term in ("rowan@", "card:8123", "8123", rowan.pseudonym, str(rowan.public_id)[:8]):
        found = manager.client().get(url, {"q": term}).content.decode()
        assert page_of(rowan) in found, term
    assert page_of(rowan) not in manager.client().get(url, {"q": "card:81"}).content.decode()


def test_whoever_was_erased_is_nobody_here(rowan: Customer, manager: Person) -> None:
    erased = report(rowan.brand, "card:1", 1)
    Customer.objects.filter(pk=erased.pk).update(erased_at=NOW)
    assert manager.client().get(page_of(erased)).status_code == 404
    listed = manager.client().get(reverse("admin:accounts_customer_changelist")).content.decode()
    assert page_of(erased) not in listed


def test_as_many_statements_for_many_identities_as_for_few(
    rowan: Customer, manager: Person
) -> None:
    client = manager.client()

    def statements() -> int:
        with counted() as seen:
            assert client.get(page_of(rowan)).status_code == 200
        return len(seen)

    client.get(page_of(rowan))
    few = statements()
    for n in range(12):
        report(rowan.brand, f"card:{n}", n + 1)
        identity.link_identifier(
            customer=rowan, text=f"card:{n}", proof=Identifier.Proof.CODE, now=NOW
        )
    score_all_due(rowan.brand, now=NOW)
    assert statements() == few <= 32


# --- merging, splitting, unlinking, undoing


def test_two_are_merged_and_the_merge_is_undone(rowan: Customer, manager: Person) -> None:
    other, client = report(rowan.brand, "card:77", 5, 6), manager.client()
    before = points(rowan), points(other)
    url = address("customer_merge", rowan)
    assert "Compare" in text_of(client.get(url, {"q": "card:77"}))
    page = text_of(client.get(url, {"other": other.pk}))
    assert "What will move" in page
    assert "2 actions" in page
    refused = client.post(url, {"other": other.pk, "reason": ""})
    assert refused.status_code == 422
    assert "Say why" in text_of(refused)
    done = client.post(url, {"other": other.pk, "reason": "Same person, said so"}, follow=True)
    assert done.redirect_chain[-1][0] == page_of(rowan)
    assert points(rowan) == sum(before)
    assert "Same person, said so" in text_of(done)
    # Whoever looks for the card finds who holds it, and the page of the other one leads there.
    found = client.get(reverse("admin:accounts_customer_changelist"), {"q": "77"}).content.decode()
    assert page_of(rowan) in found
    assert page_of(other) not in found
    assert page_of(rowan) in client.get(page_of(other)).content.decode()
    [move] = done.context["undoable"]
    undone = client.post(address("customer_undo", rowan), {"group": move["group"]}, follow=True)
    assert "Undone" in text_of(undone)
    assert not undone.context["undoable"]
    assert (points(rowan), points(other)) == before
    again = client.post(address("customer_undo", rowan), {"group": move["group"]}, follow=True)
    assert "undone before" in text_of(again)
    uses = DataUse.objects.filter(members__customer=other, type=DataUse.Type.CHANGE)
    assert uses.count() == 2


def test_who_joined_stays_whichever_page_one_comes_from(rowan: Customer, manager: Person) -> None:
    other = report(rowan.brand, "card:77", 5)
    page = manager.client().get(address("customer_merge", other), {"other": rowan.pk})
    assert page.context["kept"] == rowan
    assert f'action="{address("customer_merge", rowan)}"' in page.content.decode()


def test_identifiers_are_split_off_for_a_reason_and_come_back(
    rowan: Customer, manager: Person
) -> None:
    client, url = manager.client(), address("customer_identities", rowan)
    for number in range(3):
        report(rowan.brand, f"card:{number}", 7)
        identity.link_identifier(
            customer=rowan, text=f"card:{number}", proof=Identifier.Proof.CODE, now=NOW
        )
    before = points(rowan)
    chosen = list(
        rowan.identifiers.filter(scheme="card", value__in="012").values_list("pk", flat=True)
    )
    assert "Tick the identifiers" in text_of(client.post(url, {"reason": "x"}, follow=True))
    assert "Say why" in text_of(client.post(url, {"chosen": chosen}, follow=True))
    assert not LinkEvent.objects.filter(type="split").exists()
    page = client.post(url, {"chosen": chosen[:2], "reason": "Her mother's"}, follow=True)
    assert "2 identifiers now belong to a customer of their own" in text_of(page)
    new = Identifier.objects.get(pk=chosen[0]).customer
    assert new != rowan
    assert (points(rowan), points(new)) == (before - 14, 14)
    [move] = page.context["undoable"]
    client.post(address("customer_undo", new), {"group": move["group"]})
    assert points(rowan) == before


def test_one_identifier_is_unlinked(rowan: Customer, manager: Person) -> None:
    before, card = points(rowan), rowan.identifiers.get(scheme="card")
    client, url = manager.client(), address("customer_identities", rowan)
    page = client.post(url, {"unlink": card.pk}, follow=True)
    assert "Unlinked" in text_of(page)
    assert points(rowan) == before - 30
    assert "moved in the meantime" in text_of(client.post(url, {"unlink": card.pk}, follow=True))
    own = rowan.identifiers.get(scheme="laurel")
    assert "stays with its customer" in text_of(client.post(url, {"unlink": own.pk}, follow=True))


def test_who_stands_beside_another_on_the_page_of_merging_was_looked_at(
    rowan: Customer, manager: Person
) -> None:
    other = join(rowan.brand, "sam@example.org").customer
    assert other
    for _again in range(2):
        page = manager.client().get(address("customer_merge", rowan), {"other": other.pk})
        assert "sam@example.org" in text_of(page)
    for one in (rowan, other):
        assert DataUse.objects.get(members__customer=one).type == DataUse.Type.LOOK


def test_only_who_may_merge_does(rowan: Customer) -> None:
    other = report(rowan.brand, "card:77", 5)
    for role in (StaffRole.Role.REVIEWER, StaffRole.Role.MARKETER):
        client = staff(rowan.brand, role)
        page = client.get(page_of(rowan)).content.decode()
        assert "Merge with another" not in page
        assert 'name="unlink"' not in page
        form = {"other": other.pk, "reason": "x", "unlink": rowan.identifiers.all()[0].pk}
        for name in ("customer_merge", "customer_identities", "customer_undo"):
            assert client.post(address(name, rowan), form).status_code == 403
    assert not LinkEvent.objects.filter(type__in=("merge", "split", "unlink")).exists()


def test_nobody_decides_about_their_own_customer(rowan: Customer, customer: Person) -> None:
    other = report(rowan.brand, "card:77", 5)
    own = staff(rowan.brand, StaffRole.Role.MANAGER, customer.user.email)
    assert "your own login" in text_of(own.get(page_of(rowan)))
    assert not DataUse.objects.exists()
    form = {"other": other.pk, "reason": "x", "chosen": rowan.identifiers.all()[0].pk}
    for name in ("customer_merge", "customer_identities", "customer_undo"):
        assert own.post(address(name, rowan), form).status_code == 403
    turned = {"other": rowan.pk, "reason": "x"}
    assert own.get(address("customer_merge", other), {"other": rowan.pk}).status_code == 403
    assert own.post(address("customer_merge", other), turned).status_code == 403
    found = own.get(address("customer_merge", other), {"q": rowan.pseudonym})
    assert found.context["found"] == []
    assert LinkEvent.objects.filter(type="merge").count() == 0


def test_another_brands_customers_do_not_exist(
    rowan: Customer, manager: Person, stranger: Person
) -> None:
    theirs, client = stranger.customer, manager.client()
    assert theirs
    assert client.get(page_of(theirs)).status_code == 404
    for name in ("customer_merge", "customer_identities", "customer_undo"):
        for slug in ("foxglove", "harbour"):
            url = reverse(f"admin:{name}", args=[slug, theirs.pk])
            assert client.post(url, {"reason": "x"}).status_code == 404
    url = address("customer_merge", rowan)
    assert client.get(url, {"other": theirs.pk}).status_code == 404
    assert client.get(url, {"q": "sam@example.org"}).context["found"] == []
    merged = report(theirs.brand, "card:5", 1)
    group = identity.merge_customers(
        kept=theirs, merged=merged, by=User.objects.create_user("z@example.org"), reason="", now=NOW
    )
    tried = client.post(address("customer_undo", rowan), {"group": group}, follow=True)
    assert "no such move" in text_of(tried)
    merged.refresh_from_db()
    assert merged.merged_into_id == theirs.pk


# --- disputes


@pytest.fixture
def dispute(rowan: Customer) -> Dispute:
    """Lee proved Rowan's card."""
    lee = join(rowan.brand, "lee@example.org").customer
    assert lee
    link = identity.link_identifier(
        customer=lee, text="card:8123", proof=Identifier.Proof.CODE, now=NOW - HOUR
    )
    assert link.dispute
    return link.dispute


@pytest.mark.parametrize("decision", ["move", "keep"])
def test_a_dispute_is_decided_with_a_note_that_both_read(
    dispute: Dispute, decision: str, customer: Person
) -> None:
    reviewer = staff(dispute.brand, StaffRole.Role.REVIEWER)
    url = reverse("admin:disputes", args=["foxglove"])
    page = reviewer.get(url)
    said = text_of(page)
    assert "l•••@example.org" in said
    assert "r•••@example.org" in said
    assert "8123" not in page.content.decode()
    form = {"dispute": dispute.pk, "decision": decision}
    assert reviewer.post(url, form).status_code == 422
    assert reviewer.post(url, form | {"note": "x", "decision": "?"}).status_code == 422
    dispute.refresh_from_db()
    assert dispute.decided_at is None
    done = reviewer.post(url, form | {"note": "The card shows the name"}, follow=True)
    assert "Decided. Both customers read your note" in text_of(done)
    assert "The card shows the name" in text_of(done)
    holder = Identifier.objects.get(brand=dispute.brand, scheme="card").customer
    assert (holder == dispute.claimant) == (decision == "move")
    # Both see that it was done.
    [use] = DataUse.objects.filter(type=DataUse.Type.CHANGE)
    assert (use.title, use.role, use.people) == ("dispute", "reviewer", 2)
    for one in (dispute.claimant, dispute.holder):
        assert use in uses_of(customer=one)
    again = reviewer.post(url, form | {"note": "y"}, follow=True)
    assert "Somebody else has decided" in text_of(again)
    lee = Person(User.objects.get(email="lee@example.org"), dispute.brand)
    for person in (customer, lee):
        assert "The card shows the name" in text_of(person.client().get("/b/foxglove/me"))


def test_nobody_decides_a_dispute_of_their_own(dispute: Dispute, customer: Person) -> None:
    url = reverse("admin:disputes", args=["foxglove"])
    for email in (customer.user.email, "lee@example.org"):
        own = staff(dispute.brand, StaffRole.Role.MANAGER, email)
        assert "No dispute is waiting" in text_of(own.get(url))
        own.post(url, {"dispute": dispute.pk, "decision": "move", "note": "mine"})
    dispute.refresh_from_db()
    assert dispute.decided_at is None


def test_today_leads_everybody_to_what_they_may_do_and_nowhere_else(dispute: Dispute) -> None:
    disputes = reverse("admin:disputes", args=["foxglove"])
    wanted = {
        StaffRole.Role.TILL: {reverse("admin:link_codes", args=["foxglove"])},
        StaffRole.Role.REVIEWER: {disputes, reverse("admin:rules", args=["foxglove"])},
    }
    for role, addresses in wanted.items():
        client = staff(dispute.brand, role)
        page = client.get(reverse("admin:index")).content.decode()
        cards = page.partition('class="staff-cards"')[2].partition("</section>")[0]
        found = set(re.findall(r'href="([^"]+)"', cards))
        assert addresses <= found
        for address in found | set(re.findall(r'href="(/admin/[^"?]+)"', page)):
            assert client.get(address, follow=True).status_code == 200, f"{role} {address}"


def test_who_may_not_decide_disputes_sees_none(dispute: Dispute) -> None:
    url = reverse("admin:disputes", args=["foxglove"])
    for role in (StaffRole.Role.MARKETER, StaffRole.Role.TILL, StaffRole.Role.RULE_EDITOR):
        client = staff(dispute.brand, role)
        assert client.get(url).status_code == 403
        assert client.post(url, {"dispute": dispute.pk, "decision": "move"}).status_code == 403


def test_disputes_take_as_many_statements_for_many_as_for_few(
    dispute: Dispute, manager: Person
) -> None:
    client, url = manager.client(), reverse("admin:disputes", args=["foxglove"])

    def statements() -> int:
        with counted() as seen:
            assert client.get(url).status_code == 200
        return len(seen)

    few = statements()
    for n in range(6):
        identity.link_identifier(
            customer=dispute.holder, text=f"card:{n}", proof=Identifier.Proof.CODE, now=NOW
        )
        identity.link_identifier(
            customer=dispute.claimant, text=f"card:{n}", proof=Identifier.Proof.CODE, now=NOW
        )
    assert Dispute.objects.count() == 7
    assert statements() == few <= 20


# --- linking codes


def test_a_code_from_the_till_is_shown_once_and_links_the_card(
    foxglove: Brand, customer: Person
) -> None:
    till, url = staff(foxglove, StaffRole.Role.TILL), reverse("admin:link_codes", args=["foxglove"])
    report(foxglove, "card:4455", 12)
    page = till.post(url, {"scheme": "card", "value": "44 55", "make": "1"})
    assert "no-store" in page["Cache-Control"]
    code = page.context["sought"]["code"]
    assert re.fullmatch(r"\w{5}-\w{5}", code)
    assert "has not joined" in text_of(page)
    open_page = till.get(url)
    assert code not in open_page.content.decode()
    assert "Card •••5" in text_of(open_page)
    kept = LinkCode.objects.get()
    assert kept.expires_at - kept.made_at == timedelta(minutes=15)
    assert customer.customer
    identity.redeem_link_code(customer=customer.customer, code=code.lower(), now=NOW)
    assert points(customer.customer) == 12
    assert "No code is open" in text_of(till.get(url))


def test_the_till_finds_only_what_is_shown_in_full(rowan: Customer) -> None:
    till = staff(rowan.brand, StaffRole.Role.TILL)
    url = reverse("admin:link_codes", args=["foxglove"])
    found = till.post(url, {"scheme": "email", "value": "Rowan@example.org", "find": "1"})
    assert rowan.pseudonym in text_of(found)
    assert "proved that it is theirs" in text_of(found)
    assert DataUse.objects.get(members__customer=rowan).role == "till"
    for value in ("rowan", "rowan@", rowan.pseudonym):
        nothing = till.post(url, {"scheme": "email", "value": value, "find": "1"})
        assert rowan.pseudonym not in text_of(nothing).replace(value, "")
    assert till.get(page_of(rowan)).status_code in {403, 404}
    assert till.get(reverse("admin:accounts_customer_changelist")).status_code == 403
    made = till.post(url, {"scheme": "email", "value": "rowan@example.org", "make": "1"})
    assert made.status_code == 422
    assert "proved by the code that is sent to it" in text_of(made)
    assert till.post(url, {"scheme": "card", "value": "", "make": "1"}).status_code == 422
    assert till.post(url, {"scheme": "phone", "value": "0123", "make": "1"}).status_code == 422
    assert not LinkCode.objects.exists()


@pytest.mark.parametrize("do", ["find", "make"])
def test_nobody_at_a_till_goes_through_a_list_of_addresses(rowan: Customer, do: str) -> None:
    url = reverse("admin:link_codes", args=["foxglove"])
    till, form = staff(rowan.brand, StaffRole.Role.TILL), {"scheme": "card"}
    for number in range(MOST_LOOK_UPS - 1):
        assert till.post(url, {**form, "value": f"{number}", do: "1"}).status_code == 200
    known = {"scheme": "email", "value": "rowan@example.org", "find": "1"}
    assert rowan.pseudonym in text_of(till.post(url, known))
    looks, codes = DataUse.objects.count(), LinkCode.objects.count()
    for refused in (till.post(url, known), till.post(url, {**form, "value": "1", do: "1"})):
        assert refused.status_code == 429
        assert "too many in ten minutes" in text_of(refused)
        assert rowan.pseudonym not in text_of(refused)
    assert (DataUse.objects.count(), LinkCode.objects.count()) == (looks, codes)
    assert looks == 1
    # Each for themselves.
    assert rowan.pseudonym in text_of(staff(rowan.brand, StaffRole.Role.MANAGER).post(url, known))


def test_whoever_gives_a_reason_is_told_that_the_customer_reads_it(rowan: Customer) -> None:
    leader, other = (
        staff(rowan.brand, StaffRole.Role.MANAGER),
        Customer.objects.create(brand=rowan.brand),
    )
    said = "Kept in the history for good. The customer can read it."
    merge = reverse("admin:customer_merge", args=["foxglove", rowan.pk])
    report(rowan.brand, "card:4455", 12)
    identity.link_identifier(customer=rowan, text="card:4455", proof=Identifier.Proof.CODE, now=NOW)
    assert said in text_of(leader.get(f"{merge}?other={other.pk}"))
    assert said in text_of(leader.get(page_of(rowan)))


def test_codes_for_many_cards_come_as_a_file(foxglove: Brand, customer: Person) -> None:
    url = reverse("admin:link_codes", args=["foxglove"])
    client = staff(foxglove, StaffRole.Role.MANAGER)
    answer = client.post(url, {"cards": "1001\n 1002 \n\n=1+1\n1001", "print": "1"})
    assert answer["Content-Type"].startswith("text/csv")
    assert "no-store" in answer["Cache-Control"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["card"] for row in rows] == ["1001", "1002", "'=1+1"]
    assert len({row["code"] for row in rows}) == 3
    assert rows[0]["expires_on"] == "2028-11-22"
    assert customer.customer
    linked = identity.redeem_link_code(customer=customer.customer, code=rows[2]["code"], now=NOW)
    assert str(linked.identifier) == "card:=1+1"
    till = staff(foxglove, StaffRole.Role.TILL)
    assert till.post(url, {"cards": "1003", "print": "1"}).status_code == 403
    assert "print" not in till.get(url).content.decode().partition("staff-page")[2]
    assert client.post(url, {"cards": "", "print": "1"}).status_code == 422
    many = "\n".join(str(n) for n in range(1001))
    refused = client.post(url, {"cards": many, "print": "1"})
    assert refused.status_code == 422
    assert "1,001 numbers" in text_of(refused)
    assert LinkCode.objects.count() == 3


def test_only_the_till_and_who_leads_make_codes(foxglove: Brand) -> None:
    url = reverse("admin:link_codes", args=["foxglove"])
    for role in (StaffRole.Role.MARKETER, StaffRole.Role.REVIEWER, StaffRole.Role.RULE_EDITOR):
        client = staff(foxglove, role)
        assert client.get(url).status_code == 403
        answer = client.post(url, {"scheme": "card", "value": "1", "make": "1"})
        assert answer.status_code == 403
    assert not LinkCode.objects.exists()
