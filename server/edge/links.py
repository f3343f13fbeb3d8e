"""/verify, /reset and /claim: where mailed links lead. The page shows them; plain ones without scripts stand in where it was
not built.

Opening a link changes nothing, because mail scanners open links too; the button on the page does, by POST.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from litestar import MediaType, Request, Response, get, post

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.errors import InvalidLink, InvalidRequest, PriceChanged, Refusal, UnsupportedMediaType
from server.domain.money import format_money
from server.domain.waitlist import Entry
from server.edge.page import index_of
from server.edge.requests import header_of
from server.usecases import accounts
from server.usecases.mail import format_moment, format_period
from server.usecases.offers import read_offer
from server.usecases.waitlist import Waitlist

STYLESHEET = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif;
  --ground: #f6f7f5; --surface: #fff; --line: #d5dad6; --strong: #76807a; --text: #16201b; --quiet: #515c56;
  --accent: #0a6b4f; --on: #fff; --soft: #dff1ea; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #121614; --surface: #1b211e; --line: #38423d; --strong: #8a958f; --text: #e9efeb; --quiet: #a9b5ae;
  --accent: #57cfa8; --on: #06251b; --soft: #17382d; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; background: var(--ground); color: var(--text); font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
main { max-width: 28rem; margin: 8vh auto 0; padding: 1.5rem 1rem; border: 1px solid var(--line); border-radius: 0.5rem;
  background: var(--surface); }
h1 { margin: 0 0 1rem; font-size: 1.75rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
.what { padding: 1rem; border-left: 4px solid var(--accent); border-radius: 0.5rem; background: var(--soft); }
.until { color: var(--quiet); }
a { color: var(--accent); }
label { display: block; margin: 1rem 0 0.25rem; }
input, button { width: 100%; min-height: 2.75rem; padding: 0.5rem 1rem; border-radius: 0.5rem; font: inherit; }
input { border: 1px solid var(--strong); background: var(--surface); color: inherit; }
button { margin-top: 0.5rem; border: 0; background: var(--accent); color: var(--on); font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
"""In the colours of the page (web/src/ui/tokens.css), for browsers that are older than those it is made for too."""
TO_BOOKINGS = '<p><a href="/bookings">See your bookings</a></p>'
TO_COURTS = '<p><a href="/">See the courts</a></p>'
MAX_DIGITS = 18
NO_STORE = {"Cache-Control": "no-store"}


@get("/verify", include_in_schema=False)
async def verify_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Asks to confirm the address of a registration."""
    return index_of(request) or _verify_form(request.query_params.get("token", ""))


@post("/verify", include_in_schema=False)
async def verify_submitted(request: Request[Any, Any, Any]) -> Response[str]:
    """Confirms the address and says so."""
    form = await _form_of(request)
    try:
        user_id = await accounts.verify(_context(request), token=form.get("token", ""))
    except (InvalidLink, InvalidRequest) as refusal:
        return _page("This link does not work", f"<p>{escape(refusal.detail)}</p>", status=refusal.status)
    request.app.state.identities.forget(user_id)
    return _page("Your address is confirmed", "<p>You can log in and book now.</p>")


@get("/reset", include_in_schema=False)
async def reset_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Asks for a new password."""
    return index_of(request) or _reset_form(request.query_params.get("token", ""))


@post("/reset", include_in_schema=False)
async def reset_submitted(request: Request[Any, Any, Any]) -> Response[str]:
    """Sets the new password and says so; a password that will not do can be mended at once."""
    form = await _form_of(request)
    token = form.get("token", "")
    try:
        user_id = await accounts.reset(_context(request), token=token, password=form.get("password", ""))
    except InvalidLink as refusal:
        return _page("This link does not work", f"<p>{escape(refusal.detail)}</p>", status=refusal.status)
    except InvalidRequest as refusal:
        return _reset_form(token, refusal)
    request.app.state.identities.forget(user_id)
    return _page("Your new password is set", "<p>All sessions have ended. Log in with the new password.</p>")


@get("/claim", include_in_schema=False)
async def claim_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Shows what is offered, and asks whether it is wanted. Works without a session."""
    token = request.query_params.get("token", "")
    try:
        entry = await _offered(request, token)
    except Refusal as refusal:
        return _over(refusal)
    return await _claim_form(request, token, entry)


@post("/claim", include_in_schema=False)
async def claim_submitted(request: Request[Any, Any, Any]) -> Response[str]:
    """Books what is offered and says so."""
    form = await _form_of(request)
    token = form.get("token", "")
    try:
        entry = await _offered(request, token)
    except Refusal as refusal:
        return _over(refusal)
    total = form.get("expected_total", "")
    expected = int(total) if total.isascii() and total.isdigit() and len(total) <= MAX_DIGITS else None
    try:
        await _waitlist(request).claim_offer(entry.id, entry.hold.ref if entry.hold else "", expected)
    except PriceChanged as refusal:
        return await _claim_form(request, token, entry, refusal)
    except Refusal as refusal:
        return _page("That did not work", f"<p>{escape(refusal.detail)}</p>{TO_BOOKINGS}", status=refusal.status)
    return _page("It is yours", f"<p>It is booked for you. A mail with all about it is on its way.</p>{TO_BOOKINGS}")


@get("/links.css", include_in_schema=False)
async def stylesheet() -> Response[str]:
    """What the pages look like."""
    return Response(STYLESHEET, media_type=MediaType.CSS, headers={"Cache-Control": "public, max-age=3600"})


handlers = [
    verify_page,
    verify_submitted,
    reset_page,
    reset_submitted,
    claim_page,
    claim_submitted,
    stylesheet,
]


def _verify_form(token: str) -> Response[str]:
    return _page(
        "Confirm your address",
        '<p>Press the button to confirm that this e-mail address is yours.</p><form method="post" action="/verify">'
        f'<input type="hidden" name="token" value="{escape(token)}"><button>Confirm the address</button></form>',
    )


def _reset_form(token: str, refusal: Refusal | None = None) -> Response[str]:
    problem = f'<p role="alert">{escape(refusal.detail)}</p>' if refusal is not None else ""
    return _page(
        "Choose a new password",
        f'{problem}<form method="post" action="/reset"><input type="hidden" name="token" value="{escape(token)}">'
        '<label for="password">New password, 8 to 128 characters</label>'
        '<input id="password" name="password" type="password" autocomplete="new-password" required minlength="8"'
        ' maxlength="128"><button>Set the password</button></form>',
        status=refusal.status if refusal is not None else HTTPStatus.OK,
    )


async def _offered(request: Request[Any, Any, Any], token: str) -> Entry:
    """Whom the secret offers something to. Raises `InvalidLink`, `OfferExpired`, `NotOffered`."""
    context = _context(request)
    offer = read_offer(context.settings, token, context.clock())
    return await _waitlist(request).fetch_offer(offer.entry_id, offer.ref)


async def _claim_form(
    request: Request[Any, Any, Any], token: str, entry: Entry, refusal: Refusal | None = None
) -> Response[str]:
    """What is offered at its price of now, and why a first try was refused."""
    club: Catalogue = await request.app.state.catalogues.even_retired(entry.club_id)
    held = entry.hold
    if held is None or held.until is None:
        raise AssertionError("unreachable: it is offered")
    now = _context(request).clock()
    court = club.court_by_id.get(held.court_id)
    period = format_period(entry.interval.start, entry.interval.end, club.zone, now)
    problem = f'<p role="alert">{escape(refusal.detail)}</p>' if refusal is not None else ""
    return _page(
        "It is your turn",
        f'{problem}<p class="what"><strong>{escape(court.name if court is not None else "")}</strong>, {escape(club.name)}<br>'
        f"{escape(period)}<br>{escape(format_money(held.price, club.currency))}</p>"
        f'<p class="until">Held for you until {escape(format_moment(held.until, club.zone, now))}.</p>'
        f'<form method="post" action="/claim"><input type="hidden" name="token" value="{escape(token)}">'
        f'<input type="hidden" name="expected_total" value="{held.price}"><button>Book it</button></form>',
        status=refusal.status if refusal is not None else HTTPStatus.OK,
    )


def _over(refusal: Refusal) -> Response[str]:
    return _page(
        "This offer is over", f"<p>{escape(refusal.detail)}</p>{TO_BOOKINGS}{TO_COURTS}", status=refusal.status
    )


def _waitlist(request: Request[Any, Any, Any]) -> Waitlist:
    waitlist: Waitlist = request.app.state.waitlist
    return waitlist


def _page(title: str, content: str, *, status: int = HTTPStatus.OK) -> Response[str]:
    html = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f'<title>{escape(title)} · Courtside</title><link rel="stylesheet" href="/links.css">'
        '<link rel="icon" href="/favicon.svg"></head>'
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return Response(html, status_code=status, media_type=MediaType.HTML, headers=NO_STORE)


async def _form_of(request: Request[Any, Any, Any]) -> dict[str, str]:
    content_type = (header_of(request, b"content-type") or "").split(";", 1)[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send the form of the page.")
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def _context(request: Request[Any, Any, Any]) -> Context:
    context: Context = request.app.state.context
    return context
