"""Demo accounts, whose password is public, over HTTP: they log in on this machine alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest

from server.context import Context
from server.settings import Settings
from tests.edge.conftest import StartApp
from tests.usecases.people import PASSWORD, make_player

ANN = "ann@example.com"


@pytest.mark.parametrize(
    ("client_end", "our_end", "admitted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "[::1]", True),
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", True),
        # uvicorn bound to 0.0.0.0 by hand, while HOST says nothing of it: asked from elsewhere, and from here.
        ("192.0.2.7", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.1", False),
        # uvicorn puts the address of a proxy's client in, where it believes the proxy.
        ("192.0.2.7", "127.0.0.1", False),
        ("unknown", "127.0.0.1", False),
    ],
)
async def test_a_demo_account_logs_in_only_from_this_machine_to_its_loopback_address(
    start_app: StartApp, settings: Settings, context: Context, *, client_end: str, our_end: str, admitted: bool
) -> None:
    refresh_token = (await make_player(context, ANN)).refresh_token
    client = await start_app(settings, address=client_end)
    client.base_url = httpx.URL(f"http://{our_end}")
    asked = (
        ("/api/auth/login", {"email": ANN, "password": PASSWORD}),
        ("/api/auth/refresh", {"refresh_token": refresh_token}),
    )
    await context.pool.execute("UPDATE users SET demo = true")
    for path, body in asked:
        answer = await client.post(path, json=body)
        assert answer.status_code == (200 if admitted else 401), answer.text
    await context.pool.execute("UPDATE users SET demo = false")
    for path, body in asked[: 1 if admitted else 2]:
        assert (await client.post(path, json=body)).status_code == 200, "others log in from everywhere"


async def test_a_trusted_proxy_says_for_whom_a_demo_account_logs_in(
    start_app: StartApp, settings: Settings, context: Context
) -> None:
    await make_player(context, ANN)
    await context.pool.execute("UPDATE users SET demo = true")
    client = await start_app(replace(settings, trusted_proxies=(ip_network("127.0.0.1"),)))
    for forwarded, status in (("192.0.2.7", 401), ("127.0.0.1", 200)):
        answer = await client.post(
            "/api/auth/login", json={"email": ANN, "password": PASSWORD}, headers={"X-Forwarded-For": forwarded}
        )
        assert answer.status_code == status
