"""The staff's side of the outbox: what about an account was set aside, and its link."""

from __future__ import annotations

import httpx
import pytest
from litestar import Litestar

from tests.edge.demo import People
from tests.mailing import deliver_due, mails_in, text_of

EMAIL = "new@example.org"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def set_aside(app: Litestar) -> None:
    """Have all that waits parked, as a worker does it: without its secret."""
    await app.state.context.pool.execute(
        "UPDATE outbox SET parked_at = now(), last_error = '550 no', payload = payload - 'token' WHERE done_at IS NULL"
    )


async def code_in_mail(app: Litestar) -> str:
    await deliver_due(app.state.context, limit=10)
    (mail,) = mails_in(app.state.context.settings.courtside_home)
    return next(line for line in text_of(mail).splitlines() if line.startswith("Your code: ")).split()[-1]


@pytest.mark.parametrize("kind", ["mail.verify", "mail.reset"])
async def test_an_accounts_mail_that_is_tried_again_has_a_link_that_works(
    app: Litestar, client: httpx.AsyncClient, people: People, kind: str
) -> None:
    if kind == "mail.verify":
        draft = {"email": EMAIL, "password": "correct-horse", "name": "New"}
        assert (await client.post("/api/auth/register", json=draft)).status_code == 202
    else:
        assert (await client.post("/api/auth/forgot", json={"email": "player@courtside.example"})).status_code == 202
    await set_aside(app)

    (row,) = (await people.staff.ask("GET", "/api/admin/outbox")).json()["items"]
    assert (row["kind"], row["last_error"]) == (kind, "550 no")
    assert (await people.staff.ask("POST", f"/api/admin/outbox/{row['id']}/retry")).status_code == 204

    token = await code_in_mail(app)
    if kind == "mail.verify":
        assert (await client.post("/api/auth/verify", json={"token": token})).status_code == 204
    else:
        answer = await client.post("/api/auth/reset", json={"token": token, "password": "another-horse"})
        assert answer.status_code == 204


async def test_a_mail_of_an_account_that_is_gone_cannot_be_tried_again_and_that_is_said(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    await client.post("/api/auth/forgot", json={"email": "player@courtside.example"})
    await set_aside(app)
    pool = app.state.context.pool
    await pool.execute("UPDATE outbox SET club_id = 1, payload = jsonb_build_object('user_id', 999999)")
    (row,) = (await people.staff.ask("GET", "/api/admin/outbox")).json()["items"]

    answer = await people.staff.ask("POST", f"/api/admin/outbox/{row['id']}/retry")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL") == 1


async def test_the_account_mails_of_strangers_are_nobodys_business(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    await client.post("/api/auth/forgot", json={"email": "player@courtside.example"})
    await set_aside(app)
    await app.state.context.pool.execute(
        "DELETE FROM memberships WHERE user_id = (SELECT id FROM users WHERE email = 'player@courtside.example')"
    )

    assert (await people.staff.ask("GET", "/api/admin/outbox")).json()["items"] == []


async def test_a_row_that_makes_no_sense_is_shown_like_any_other(app: Litestar, people: People) -> None:
    await app.state.context.pool.execute(
        "INSERT INTO outbox (id, club_id, kind, payload, parked_at) VALUES (gen_random_uuid(), 1, 'x', $1, now())",
        {"user_id": "nobody"},
    )

    (row,) = (await people.staff.ask("GET", "/api/admin/outbox")).json()["items"]
    assert (row["kind"], row["user_id"]) == ("x", None)
