"""The customer pages through their addresses, as each of the people: who sees what, and what it says."""

import re
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from time_machine import travel

from accounts.models import Brand, Customer, User
from scoring.models import Action, ActionKind, Badge
from scoring.verify import verify_ledger
from tests.people import MONDAY, Person, join, record, score_all_due
from tests.statements import counted

OPEN = ["/", "/b/foxglove/", "/b/foxglove/rules", "/b/foxglove/join"]
OWN = [
    "/b/foxglove/score",
    "/b/foxglove/score/moved",
    "/b/foxglove/score/explained",
    "/b/foxglove/score/explained.json",
    "/b/foxglove/score/explained.csv",
    "/b/foxglove/score/purchases",
    "/b/foxglove/activity",
    "/b/foxglove/add",
    "/b/foxglove/check-in",
    "/b/foxglove/purchase",
    "/b/foxglove/usage",
    "/b/foxglove/badges",
    "/b/foxglove/board",
    "/b/foxglove/board?view=season",
    "/b/foxglove/board?view=venues",
    "/b/foxglove/board/points",
    "/b/foxglove/rhythm",
    "/b/foxglove/me",
    "/b/foxglove/known",
]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Any:
    with travel(MONDAY + 8 * HOUR, tick=False):
        yield


@pytest.fixture
def active(customer: Person) -> Person:
    """The customer with a purchase, a check-in and a claim that waits."""
    assert customer.customer
    record(
        customer.customer,
        ("purchase", MONDAY, "24.90"),
        ("check_in", MONDAY + HOUR),
        ("purchase", MONDAY + 2 * HOUR, "8.50", "pending"),
    )
    return customer


def text_of(response: Any) -> str:
    """What a page says, without its tags."""
    text = re.sub(
        r"<(script|style|svg).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL
    )
    return " ".join(text.split())


# --- who sees what


@pytest.mark.parametrize("address", OPEN)
def test_anyone_reads_the_open_pages(address: str, customer: Person, manager: Person) -> None:
    assert Client().get(address).status_code == 200
    assert manager.client().get(address).status_code == 200


@pytest.mark.parametrize("address", [address for address in OWN if "check-in" not in address])
def test_whoever_has_not_joined_is_asked_to_join_first(
    address: str, customer: Person, stranger: Person, manager: Person
) -> None:
    for client in (Client(), stranger.client(), manager.client()):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/b/foxglove/join?next=%2Fb%2Ffoxglove%2F")


@pytest.mark.parametrize("address", OWN)
def test_the_customer_sees_her_own_pages_and_no_shared_cache_keeps_them(
    address: str, active: Person
) -> None:
    response = active.client().get(address)
    assert response.status_code == 200
    assert "private" in response["Cache-Control"]


def test_receipts_of_others_do_not_exist(active: Person, stranger: Person) -> None:
    assert stranger.customer
    [theirs] = record(stranger.customer, ("check_in", MONDAY)) if _has_dock(stranger) else [0]
    neighbour = join(active.brand, "lee@example.org")
    assert neighbour.customer
    [hers] = record(neighbour.customer, ("purchase", MONDAY, "5"))
    client = active.client()
    for action_id in (theirs, hers, 999_999):
        assert client.get(f"/b/foxglove/activity/{action_id}").status_code == 404
        assert client.get(f"/b/foxglove/activity/{action_id}/result").status_code == 404


def _has_dock(person: Person) -> bool:
    return person.brand.venues.filter(slug="soho").exists()


def test_an_unknown_brand_does_not_exist(active: Person) -> None:
    for address in (*OPEN[1:], *OWN):
        other = address.replace("foxglove", "nowhere")
        assert active.client().get(other).status_code == 404
        assert Client().get(other).status_code == 404


# --- joining


def test_joining_by_mail_and_code_ends_on_the_score(foxglove: Brand) -> None:
    client = Client()
    sent = client.post("/b/foxglove/join", {"email": "New@Example.org"})
    assert sent.status_code == 302
    page = client.get(sent["Location"])
    assert "new@example.org" in text_of(page).lower()
    assert "Foxglove Coffee" in text_of(page)
    assert not Customer.objects.filter(brand=foxglove).exists()

    done = client.post(sent["Location"], {"code": code_in_mail()}, follow=True)

    assert done.redirect_chain[-1][0] == "/b/foxglove/choices/joining"
    assert 'href="/b/foxglove/score">Go on to your score' in done.content.decode()
    customer = Customer.objects.get(brand=foxglove)
    assert customer.user is not None
    assert customer.user.email == "new@example.org"
    assert EmailAddress.objects.get(user=customer.user).verified
    assert "Welcome" in text_of(done)
    assert "confirmed" not in text_of(done)


def test_signing_in_again_is_the_same_step_and_leads_back(customer: Person) -> None:
    client = Client()
    sent = client.post(
        "/b/foxglove/join", {"email": customer.user.email, "next": "/b/foxglove/badges"}
    )
    done = client.post(sent["Location"], {"code": code_in_mail()}, follow=True)
    assert done.redirect_chain[-1][0] == "/b/foxglove/badges"
    assert Customer.objects.filter(brand=customer.brand).count() == 1


def test_a_known_and_an_unknown_address_get_the_same_answer(customer: Person) -> None:
    def answer(email: str) -> tuple[int, str, str]:
        client = Client()
        sent = client.post("/b/foxglove/join", {"email": email})
        page = text_of(client.get(sent["Location"]))
        return sent.status_code, sent["Location"], page.replace(email, "")

    assert answer(customer.user.email) == answer("nobody@example.org")
    assert len(mail.outbox) == 2


def test_a_wrong_code_lets_nobody_in(foxglove: Brand) -> None:
    client = Client()
    sent = client.post("/b/foxglove/join", {"email": "new@example.org"})
    page = client.post(sent["Location"], {"code": "WRONG1"})
    assert "Enter the code that is in the mail" in text_of(page)
    assert 'href="#id_code"' in page.content.decode()
    assert client.get("/b/foxglove/score").status_code == 302
    assert not Customer.objects.exists()


def test_a_locked_user_gets_no_code(customer: Person) -> None:
    User.objects.filter(pk=customer.user.pk).update(is_active=False)
    client = Client()
    sent = client.post("/b/foxglove/join", {"email": customer.user.email})
    assert sent.status_code == 302
    assert "code" not in mail.outbox[-1].subject.lower() if mail.outbox else True


def test_a_link_alone_joins_nobody(foxglove: Brand, stranger: Person) -> None:
    client = stranger.client()
    page = client.get("/b/foxglove/join")
    assert stranger.user.email in text_of(page)
    assert not Customer.objects.filter(brand=foxglove).exists()
    assert client.post("/b/foxglove/join")["Location"] == "/b/foxglove/choices/joining"
    assert Customer.objects.filter(brand=foxglove, user=stranger.user).exists()


def test_joining_leads_to_no_other_site(customer: Person) -> None:
    client = customer.client()
    for address in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert client.get("/b/foxglove/join", {"next": address})["Location"] == "/b/foxglove/score"


def code_in_mail() -> str:
    """The code of the newest mail."""
    found = re.search(r"^\s+(\S+)$", str(mail.outbox[-1].body), flags=re.MULTILINE)
    assert found
    return found[1]


def test_staff_sign_in_by_code_or_by_password(manager: Person) -> None:
    EmailAddress.objects.create(
        user=manager.user, email=manager.user.email, primary=True, verified=True
    )
    manager.user.set_password("correct horse battery")
    manager.user.save()
    client = Client()
    wrong = client.post(
        "/accounts/login/", {"login": manager.user.email, "password": "wrong horse battery"}
    )
    assert "There is a problem" in text_of(wrong)
    right = client.post(
        "/accounts/login/?next=/b/foxglove/",
        {"login": manager.user.email, "password": "correct horse battery"},
    )
    assert right["Location"] == "/b/foxglove/"
    client = Client()
    sent = client.post("/accounts/login/", {"login": manager.user.email})
    assert client.post(sent["Location"], {"code": code_in_mail()})["Location"] == "/"


# --- checking in


def test_a_check_in_counts_and_its_page_says_so(customer: Person) -> None:
    client = customer.client()
    sent = client.post("/b/foxglove/check-in", {"code": "soho-42", "token": uuid.uuid4()})
    result = sent["Location"]
    waiting = client.get(result)
    assert "Being counted" in text_of(waiting)
    assert 'http-equiv="refresh"' in waiting.content.decode()

    score_all_due(customer.brand, now=MONDAY + 8 * HOUR)

    counted = client.get(result)
    assert "+25 points" in text_of(counted)
    assert "Check-in, Soho" in text_of(counted)
    assert 'http-equiv="refresh"' not in counted.content.decode()


def test_a_check_in_sent_twice_is_one(customer: Person) -> None:
    form = {"code": "SOHO42", "token": uuid.uuid4()}
    client = customer.client()
    first = client.post("/b/foxglove/check-in", form)
    second = client.post("/b/foxglove/check-in", form)
    assert first["Location"] == second["Location"]
    assert Action.objects.count() == 1


def test_a_check_in_that_earns_nothing_says_why(customer: Person) -> None:
    assert customer.customer
    record(customer.customer, ("check_in", MONDAY))
    client = customer.client()
    sent = client.post("/b/foxglove/check-in", {"code": "SOHO42", "token": uuid.uuid4()})
    score_all_due(customer.brand, now=MONDAY + 8 * HOUR)
    assert "0 points" in text_of(client.get(sent["Location"]))
    assert "imit" in text_of(client.get(sent["Location"]))


def test_the_link_on_a_poster_needs_one_tap(customer: Person) -> None:
    page = customer.client().get("/b/foxglove/check-in?code=SOHO42")
    assert "Check in at Soho" in text_of(page)
    assert 'type="hidden" name="code" value="SOHO42"' in page.content.decode()
    assert not Action.objects.exists()


def test_another_brands_code_opens_nothing(customer: Person, stranger: Person) -> None:
    client = customer.client()
    page = client.post("/b/foxglove/check-in", {"code": "DOCK1", "token": uuid.uuid4()})
    assert page.status_code == 200
    assert "There is a problem" in text_of(page)
    assert not Action.objects.exists()


def test_the_sixth_wrong_code_is_refused_even_if_it_is_right(customer: Person) -> None:
    client = customer.client()
    for _attempt in range(5):
        client.post("/b/foxglove/check-in", {"code": "NOPE", "token": uuid.uuid4()})
    page = client.post("/b/foxglove/check-in", {"code": "SOHO42", "token": uuid.uuid4()})
    assert page.status_code == 429
    assert "try again in ten minutes" in text_of(page)
    assert not Action.objects.exists()
    assert "Soho" not in text_of(client.get("/b/foxglove/check-in?code=SOHO42"))


# --- registering a purchase


def claim(client: Client, **changes: Any) -> Any:
    """Send the purchase form, filled in."""
    form = {
        "amount": "24.90",
        "venue": "soho",
        "bought_on": "2026-11-21",
        "receipt_number": "8123",
        "token": uuid.uuid4(),
    }
    return client.post("/b/foxglove/purchase", form | changes)


def test_a_claim_is_pending_and_visible_as_such(customer: Person) -> None:
    client = customer.client()
    sent = claim(client)
    assert "Registered, and pending" in text_of(client.get(sent["Location"]))
    action = Action.objects.get()
    assert (action.state, action.quantity, action.origin) == ("pending", Decimal("24.9"), "laurel")
    score_all_due(customer.brand, now=MONDAY + 8 * HOUR)
    assert "£24.90" in text_of(client.get("/b/foxglove/activity"))
    assert "Pending" in text_of(client.get("/b/foxglove/activity"))
    receipt = text_of(client.get(f"/b/foxglove/activity/{action.pk}"))
    assert "Pending" in receipt
    assert "looks at it first" in receipt


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"amount": ""}, "Enter the total on your receipt"),
        ({"amount": "lots"}, "Enter the total as an amount, such as £24.90"),
        ({"amount": "0"}, "more than 0"),
        ({"bought_on": ""}, "Enter the day on your receipt"),
        ({"bought_on": "2026-11-24"}, "still to come"),
        ({"bought_on": "2025-11-01"}, "Purchases can be registered for one year"),
        ({"venue": "dock"}, "valid choice"),
    ],
)
def test_a_wrong_claim_says_what_to_do_and_keeps_what_was_typed(
    changes: dict[str, str], sentence: str, customer: Person
) -> None:
    page = claim(customer.client(), **changes)
    assert page.status_code == 200
    html = page.content.decode()
    assert html.count(sentence) == 2  # in the summary on top, and at the field
    assert "<title>Error: " in html
    assert 'value="8123"' in html
    assert 'aria-invalid="true"' in html
    assert not Action.objects.exists()


# --- recording use


def use(client: Client, **changes: Any) -> Any:
    """Send the form of a use, filled in."""
    form = {"quantity": "1", "when": "today", "used_on": "", "token": uuid.uuid4()}
    return client.post("/b/foxglove/usage", form | changes)


@pytest.mark.parametrize(
    ("changes", "when"),
    [
        ({}, MONDAY + 8 * HOUR),
        ({"when": "yesterday"}, MONDAY - 21 * HOUR),
        ({"when": "earlier", "used_on": "2026-11-16"}, MONDAY + 3 * HOUR - timedelta(days=7)),
        ({"when": "earlier", "used_on": "2026-11-23"}, MONDAY + 8 * HOUR),
        # The day is looked at only where it was asked for.
        ({"when": "today", "used_on": "2020-01-01"}, MONDAY + 8 * HOUR),
    ],
)
def test_a_use_counts_on_its_day(changes: dict[str, str], when: Any, customer: Person) -> None:
    client = customer.client()
    sent = use(client, **changes)
    action = Action.objects.get()
    assert sent["Location"] == f"/b/foxglove/activity/{action.pk}/result"
    assert (action.kind.slug, action.state, action.origin) == ("usage", "accepted", "laurel")
    assert (action.quantity, action.occurred_at) == (Decimal(1), when)
    score_all_due(customer.brand, now=MONDAY + 8 * HOUR)
    assert "No rule in force gives points for it" in text_of(client.get(sent["Location"]))


def test_a_quantity_is_said_so_that_one_is_not_a_plural(customer: Person) -> None:
    client = customer.client()
    use(client)
    action = Action.objects.get()
    assert "cups: 1" in text_of(client.get("/b/foxglove/activity"))
    assert "Cups 1" in text_of(client.get(f"/b/foxglove/activity/{action.pk}"))
    ActionKind.objects.filter(slug="usage").update(unit="km")
    assert "1 km" in text_of(client.get("/b/foxglove/activity"))
    assert "How much 1 km" in text_of(client.get(f"/b/foxglove/activity/{action.pk}"))


def test_a_use_sent_twice_is_one(customer: Person) -> None:
    client, token = customer.client(), uuid.uuid4()
    first, second = use(client, token=token), use(client, token=token)
    assert first["Location"] == second["Location"]
    other = use(client, token=token, quantity="2")
    assert "sent before, with other content" in text_of(other)
    assert Action.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"quantity": ""}, "Enter how much, in cups"),
        ({"quantity": "two"}, "Enter a number more than 0"),
        ({"quantity": "0"}, "Enter a number more than 0"),
        ({"quantity": "-1"}, "Enter a number more than 0"),
        ({"quantity": "1,234"}, "Enter a number more than 0"),
        ({"quantity": "10001"}, "Enter at most 10,000 at a time"),
        ({"when": ""}, "Choose when it was"),
        ({"when": "someday"}, "valid choice"),
        ({"when": "earlier"}, "Enter the day"),
        ({"when": "earlier", "used_on": "16.11."}, "Enter the day as year, month and day"),
        ({"when": "earlier", "used_on": "2026-11-24"}, "still to come"),
        ({"when": "earlier", "used_on": "2026-11-15"}, "Enter one of the last seven days"),
    ],
)
def test_a_wrong_use_says_what_to_do_and_keeps_what_was_typed(
    changes: dict[str, str], sentence: str, customer: Person
) -> None:
    page = use(customer.client(), **changes)
    assert page.status_code == 200
    html = page.content.decode()
    assert html.count(sentence) == 2  # in the summary on top, and at the field
    assert "<title>Error: " in html
    for typed in changes.values():
        assert not typed or typed == "someday" or f'value="{typed}"' in html
    targets = re.findall(r'<li><a href="#([^"]+)"', html)
    assert targets
    assert all(f'id="{target}"' in html for target in targets)
    assert not Action.objects.exists()


def test_a_use_without_a_unit_asks_only_when(customer: Person) -> None:
    ActionKind.objects.filter(slug="usage").update(unit="")
    client = customer.client()
    assert "How much" not in text_of(client.get("/b/foxglove/usage"))
    use(client, quantity="nonsense")
    assert Action.objects.get().quantity is None


def test_use_is_offered_only_where_customers_can_record_it(
    customer: Person, stranger: Person
) -> None:
    client = customer.client()
    assert "Record use: Brew" in text_of(client.get("/b/foxglove/add"))
    # One that systems report is of the same source, and not the customers' to report.
    ActionKind.objects.filter(brand=customer.brand, slug="usage").update(slug="metered")
    assert "Record use" not in text_of(client.get("/b/foxglove/add"))
    assert client.get("/b/foxglove/usage").status_code == 404
    assert use(client).status_code == 404
    assert stranger.client().get("/b/harbour/usage").status_code == 200
    assert use(stranger.client())["Location"].startswith("/b/foxglove/join")
    assert not Action.objects.exists()


def test_checking_in_is_offered_only_where_a_poster_shows_a_code(customer: Person) -> None:
    client = customer.client()
    assert "Check in" in text_of(client.get("/b/foxglove/add"))
    customer.brand.venues.update(check_in_code="")
    assert "Check in" not in text_of(client.get("/b/foxglove/add"))


# --- the score and its receipts


def test_every_number_opens_its_receipt_and_the_sum_is_the_score(active: Person) -> None:
    client = active.client()
    page = client.get("/b/foxglove/score")
    assert 'href="/b/foxglove/score/explained"' in page.content.decode()
    explanation = client.get("/b/foxglove/score/explained").context["explanation"]
    assert explanation.score == page.context["score"].score
    assert sum(part.worth for part in explanation.sources) == explanation.score
    for part in explanation.sources:
        assert sum(line.worth for line in part.lines) == part.worth
    action = Action.objects.get(kind__slug="purchase", state="accepted")
    receipt = text_of(client.get(f"/b/foxglove/activity/{action.pk}"))
    for words in ("Purchase", "£24.90", "1 point for every pound", "+24", "Worth in today"):
        assert words in receipt


def test_the_download_says_the_same_as_the_page(active: Person) -> None:
    client = active.client()
    response = client.get("/b/foxglove/score/explained.json")
    assert response["Content-Disposition"].startswith('attachment; filename="foxglove-score-2026-')
    shown = client.get("/b/foxglove/score").context["score"].score
    assert Decimal(str(response.json()["score"])) == shown
    assert verify_ledger(brand=active.brand).differences == []


def test_a_new_customer_is_told_where_to_begin(customer: Person) -> None:
    response = customer.client().get("/b/foxglove/score")
    page = text_of(response)
    assert "It starts with your first points" in page
    assert "What to do first" in page
    for way in ("check-in", "purchase", "usage"):
        assert f'href="/b/foxglove/{way}"' in response.content.decode()
    assert "rank" not in page.lower()


def test_activity_goes_back_page_by_page_and_shows_each_action_once(customer: Person) -> None:
    assert customer.customer
    rows = [("usage", MONDAY - number * HOUR, 1) for number in range(90)]
    ids = record(customer.customer, *rows, now=MONDAY)
    client, address, seen = customer.client(), "/b/foxglove/activity", []
    while address:
        page = client.get(address)
        html = page.content.decode()
        seen += [int(number) for number in re.findall(r'href="/b/foxglove/activity/(\d+)"', html)]
        older = re.search(r'href="(\?before=[^"]+)"', html)
        address = f"/b/foxglove/activity{older[1]}" if older else ""
    assert sorted(seen) == sorted(ids)


@pytest.mark.parametrize("place", ["nonsense", "2026-11-23_1", "2026-99-99T00:00:00+00:00_1", "_"])
def test_a_place_that_is_none_is_not_found(place: str, customer: Person) -> None:
    assert customer.client().get("/b/foxglove/activity", {"before": place}).status_code == 404


# --- board, badges, me


def test_the_board_is_joined_under_a_pseudonym_and_left_at_once(customer: Person) -> None:
    assert customer.customer
    client = customer.client()
    client.post("/b/foxglove/board", {"do": "join", "pseudonym": "  Quiet   Heron "})
    customer.customer.refresh_from_db()
    assert (customer.customer.on_boards, customer.customer.pseudonym) == (True, "Quiet Heron")
    page = client.post("/b/foxglove/board", {"do": "leave"}, follow=True)
    customer.customer.refresh_from_db()
    assert not customer.customer.on_boards
    assert "on no board now" in text_of(page)


@pytest.mark.parametrize("name", ["", "ab", "<b>x</b>", "rowan@example.org", "x" * 41, "LEE OTTER"])
def test_a_pseudonym_that_will_not_do_is_refused(name: str, customer: Person) -> None:
    assert customer.customer
    neighbour = join(customer.brand, "lee@example.org").customer
    assert neighbour
    Customer.objects.filter(pk=neighbour.pk).update(pseudonym="Lee Otter")
    page = customer.client().post("/b/foxglove/board", {"do": "join", "pseudonym": name})
    assert "There is a problem" in text_of(page)
    customer.customer.refresh_from_db()
    assert not customer.customer.on_boards


def test_a_pseudonym_that_somebody_has_is_not_proposed(customer: Person) -> None:
    assert customer.customer
    mine = customer.customer.pseudonym
    neighbour = join(customer.brand, "lee@example.org").customer
    assert neighbour
    Customer.objects.filter(pk=neighbour.pk).update(pseudonym=mine)
    client = customer.client()
    proposed = str(client.get("/b/foxglove/board").context["form"]["pseudonym"].value())
    assert proposed != mine
    page = client.post("/b/foxglove/board", {"do": "join", "pseudonym": proposed}, follow=True)
    assert f"You appear on the board as {proposed}" in text_of(page)


def test_logging_out_says_so(customer: Person) -> None:
    page = customer.client().post("/accounts/logout/", follow=True)
    assert page.redirect_chain[-1][0] == "/"
    assert "You are logged out" in text_of(page)


def test_eleven_members_make_a_board(active: Person) -> None:
    assert active.customer
    for number in range(10):
        member = join(active.brand, f"m{number}@example.org").customer
        assert member
        Customer.objects.filter(pk=member.pk).update(on_boards=True, pseudonym=f"Otter {number}")
        record(member, ("purchase", MONDAY, 20 + number))
    client = active.client()
    client.post("/b/foxglove/board", {"do": "join", "pseudonym": "Quiet Heron"})
    for address in ("/b/foxglove/board", "/b/foxglove/score"):
        page = text_of(client.get(address))
        assert "You · Quiet Heron" in page
        assert "rowan@example.org" not in page.replace("rowan@example.org Me", "")


def test_badges_say_what_they_take(active: Person) -> None:
    Badge.objects.create(
        brand=active.brand,
        slug="first",
        title="First brew",
        source=6,
        criterion="actions",
        parameters={"kinds": ["usage"]},
        levels=[3],
    )
    page = text_of(active.client().get("/b/foxglove/badges"))
    assert "First brew" in page
    assert "of 3" in page


def test_me_keeps_my_choice_of_theme(customer: Person) -> None:
    client = customer.client()
    assert customer.user.email in text_of(client.get("/b/foxglove/me"))
    client.post("/b/foxglove/me", {"theme": "dark"})
    assert 'data-theme="dark"' in client.get("/b/foxglove/score").content.decode()
    client.post("/b/foxglove/me", {"theme": '"><script>'})
    assert 'data-theme="dark"' in client.get("/b/foxglove/score").content.decode()


# --- how pages are made


@pytest.mark.parametrize("address", [*OPEN, *OWN])
def test_no_page_has_styles_or_scripts_inside(address: str, active: Person) -> None:
    client = Client() if address.endswith("join") else active.client()
    html = client.get(address).content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/b/foxglove/score", 12),
        ("/b/foxglove/score/explained", 12),
        ("/b/foxglove/score/purchases", 17),
        ("/b/foxglove/activity", 8),
        ("/b/foxglove/badges", 8),
        ("/b/foxglove/board", 8),
        ("/b/foxglove/board?view=venues", 8),
        ("/b/foxglove/rhythm", 8),
        ("/b/foxglove/add", 16),
        ("/b/foxglove/usage", 8),
        ("/b/foxglove/me", 14),
        ("/b/foxglove/known", 16),
        ("/b/foxglove/what-if", 8),
        ("/b/foxglove/rules/changes", 8),
        ("/b/foxglove/", 16),
    ],
)
def test_queries_do_not_grow_with_what_a_customer_did(
    address: str, most: int, customer: Person
) -> None:
    assert customer.customer
    client = customer.client()
    Customer.objects.filter(pk=customer.customer.pk).update(on_boards=True)
    Badge.objects.create(
        brand=customer.brand,
        slug="regular",
        title="Regular",
        source=4,
        criterion="actions",
        parameters={"kinds": ["check_in"]},
        levels=[1, 5],
    )

    def queries() -> int:
        with counted() as statements:
            client.get(address)
        return len(statements)

    record(customer.customer, ("purchase", MONDAY, 20), ("check_in", MONDAY), ("usage", MONDAY, 1))
    client.get(address)
    few = queries()
    record(
        customer.customer,
        *(("usage", MONDAY - number * HOUR, 1) for number in range(30)),
        *(("purchase", MONDAY - number * HOUR, 5) for number in range(1, 10)),
        now=MONDAY,
    )
    assert queries() == few <= most


def test_a_page_that_is_not_there_is_a_page(client: Client, db: None) -> None:
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "Page not found" in text_of(page)
