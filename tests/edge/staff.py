"""Clients of the demo club's people, for the tests of what staff may do."""

from __future__ import annotations

from typing import Any

import httpx

from server.usecases.seed import DEMO_PASSWORD

Json = dict[str, Any]


class Person:
    """A client with somebody's token."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request; a header's underscores stand for hyphens."""
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, path, headers=sent, **({} if body is None else {"json": body}))

    async def make(self, path: str, body: Json) -> Json:
        """Create something; what the API says it is now."""
        answer = await self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        assert answer.headers["etag"] == f'"{made.get("version", answer.headers["etag"][1:-1])}"'
        read = await self.ask("GET", answer.headers["location"])
        assert (read.status_code, read.json(), read.headers["etag"]) == (200, made, answer.headers["etag"])
        return made


async def log_in(client: httpx.AsyncClient, email: str, password: str = DEMO_PASSWORD) -> Person:
    answer = await client.post("/api/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return Person(client, answer.json()["access_token"])


def problem(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """Status, code and fields of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    return answer.status_code, body["code"], [error["field"] for error in body.get("errors", [])]
