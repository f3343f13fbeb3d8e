"""For which hosts the server answers, what its answers tell a browser, and TLS of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
import websockets
from litestar import Litestar

from server.app import create_app
from server.embedded.process import free_port
from server.given import split_host
from server.settings import Settings, SettingsError, read_settings
from tests.conftest import BASE_SETTINGS
from tests.edge.conftest import REPOSITORY, StartServer, environment_of
from tests.edge.serving import client_of
from tests.test_settings import REQUIRED

NOWHERE = replace(BASE_SETTINGS, database_url="postgresql://nowhere", redis_url="redis://nowhere")
LIVE = "/health/live"
DOCS = "/docs"


def app_with(**settings: object) -> Litestar:
    """The app, not started: what is asked of it here needs no database."""
    return create_app(replace(NOWHERE, **settings))  # type: ignore[arg-type]


def hosts(*written: str) -> tuple[tuple[str, int | None], ...]:
    return tuple(split_host(one) for one in written)


@pytest.fixture(scope="module")
def plain() -> Litestar:
    """The app with no hosts named."""
    return app_with()


@pytest.fixture(scope="module")
def guarded() -> Litestar:
    """The app for a few hosts."""
    return app_with(
        allowed_hosts=hosts("Club.example", "shop.example:8443", "plain.example:80", "*.wide.example", "[::1]")
    )


# -- hosts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("club.example", 200),
        ("CLUB.example.", 200),
        ("club.example:80", 200),
        ("club.example:8000", 200),
        ("club.example.evil.example", 421),
        ("evilclub.example", 421),
        ("app.club.example", 421),
        ("shop.example", 421),  # its default port is 80, and it is allowed on 8443 alone
        ("shop.example:8443", 200),
        ("shop.example:84430", 421),
        ("plain.example", 200),
        ("plain.example:80", 200),
        ("plain.example:81", 421),
        ("a.b.wide.example", 200),
        ("wide.example", 421),
        ("[::1]:8000", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("[::2]", 421),
        ("", 421),
        ("club.example:", 421),
        ("club.example:http", 421),
        ("club.example:99999", 421),
        ("user@club.example", 421),
        ("club.example/", 421),
        ("club.example, evil.example", 421),
    ],
)
async def test_the_server_answers_for_the_hosts_in_its_list_and_for_no_other(
    guarded: Litestar, host: str, status: int
) -> None:
    async with client_of(guarded) as client:
        answer = await client.get(DOCS, headers={"Host": host})
    assert answer.status_code == status
    if status == 421:
        assert answer.json()["code"] == "misdirected_request"
        assert answer.headers["x-request-id"]


async def test_without_a_list_every_host_will_do(plain: Litestar) -> None:
    async with client_of(plain) as client:
        assert (await client.get(DOCS, headers={"Host": "whatever.example"})).status_code == 200


async def test_health_is_told_under_every_name() -> None:
    async with client_of(app_with(allowed_hosts=hosts("club.example"))) as client:
        assert (await client.get(LIVE, headers={"Host": "10.0.0.7:8000"})).status_code == 200
        answer = await client.head(DOCS, headers={"Host": "10.0.0.7:8000"})
        assert (answer.status_code, answer.content) == (421, b"")


async def test_two_host_headers_are_one_too_many() -> None:
    async with client_of(app_with(allowed_hosts=hosts("club.example"))) as client:
        headers = [("Host", "club.example"), ("Host", "club.example")]
        assert (await client.get(DOCS, headers=headers)).status_code == 421


async def test_a_proxys_word_for_https_decides_which_port_is_the_default() -> None:
    app = app_with(allowed_hosts=hosts("club.example:443"), trusted_proxies=(ip_network("10.0.0.0/8"),))
    headers = {"Host": "club.example", "X-Forwarded-Proto": "https"}
    async with client_of(app, address="10.0.0.1") as proxied, client_of(app, address="203.0.113.7") as stranger:
        assert (await proxied.get(DOCS, headers=headers)).status_code == 200
        assert (await stranger.get(DOCS, headers=headers)).status_code == 421


@pytest.mark.parametrize(
    "written", ["exa mple", "a:b", "a:0", "a:70000", "http://club.example", "[::1", "*", "*.", "a/b"]
)
def test_a_host_that_is_none_stops_the_start(written: str) -> None:
    with pytest.raises(SettingsError, match="ALLOWED_HOSTS is wrong"):
        read_settings({**REQUIRED, "ALLOWED_HOSTS": f"club.example, {written}"})


# -- what browsers are told --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DOCS, "/schema", LIVE, "/", "/api/auth/me", "/nowhere", "/verify"])
async def test_every_answer_forbids_scripts_that_are_not_ours(plain: Litestar, path: str) -> None:
    async with client_of(plain) as client:
        headers = (await client.get(path)).headers
    (policy,) = headers.get_list("content-security-policy")
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert directives["default-src"] == ["'self'"]
    assert directives["object-src"] == directives["base-uri"] == directives["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-site"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers


async def test_only_an_encrypted_answer_asks_for_encryption_from_now_on() -> None:
    app = app_with(trusted_proxies=(ip_network("10.0.0.0/8"),))

    async def said(address: str, forwarded: str | None, scheme: str = "http") -> str | None:
        headers = {"X-Forwarded-Proto": forwarded} if forwarded else {}
        async with client_of(app, address=address) as client:
            answer = await client.get(f"{scheme}://club.example{LIVE}", headers=headers)
        found: str | None = answer.headers.get("strict-transport-security")
        return found

    assert await said("203.0.113.7", None, "https") == "max-age=31536000; includeSubDomains"
    assert await said("10.0.0.1", "https") == "max-age=31536000; includeSubDomains"
    assert await said("10.0.0.1", "http") is None
    assert await said("203.0.113.7", "https") is None, "nobody whom we trust says so"


# -- TLS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, signed by itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not on PATH")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_a_certificate_needs_its_key(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = map(str, certificate)
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True, capture_output=True)

    def refused(cert: str, key: str) -> str:
        with pytest.raises(SettingsError) as caught:
            read_settings({**REQUIRED, "TLS_CERT": cert, "TLS_KEY": key})
        return str(caught.value)

    assert "belong together" in refused(cert, "")
    assert "belong together" in refused("", key)
    assert "cannot be used" in refused(cert, str(other))
    assert "cannot be used" in refused(str(tmp_path / "missing.pem"), key)
    read = read_settings({**REQUIRED, "TLS_CERT": cert, "TLS_KEY": key})
    assert read.public_url == "https://127.0.0.1:8000"


@pytest.mark.timeout(90)
async def test_the_server_speaks_tls_with_a_certificate_of_its_own(
    certificate: tuple[Path, Path], settings: Settings, tmp_path: Path
) -> None:
    cert, key = certificate
    port = free_port()
    tls = {"TLS_CERT": str(cert), "TLS_KEY": str(key), "ALLOWED_HOSTS": f"localhost:{port}"}
    env = {**os.environ, **environment_of(settings), "PORT": str(port), **tls}
    command = [sys.executable, "-P", "-m", "server.cli", "serve", "--workers", "1"]
    trusting = ssl.create_default_context(cafile=cert)
    with subprocess.Popen(command, cwd=REPOSITORY, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=trusting) as client:
                answer = await _first_answer(client, process)
                assert answer.status_code == 200
                channel = answer.extensions["network_stream"].get_extra_info("ssl_object")
                assert channel.version() == "TLSv1.3"
                assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
                body = {"email": "nobody@example.com", "password": "wrong-password"}
                assert (await client.post("/api/auth/login", json=body)).status_code == 401
                assert (await client.get(DOCS, headers={"Host": "other.example"})).status_code == 421
            async with httpx.AsyncClient() as plain:
                with pytest.raises(httpx.TransportError):
                    await plain.get(f"http://localhost:{port}{LIVE}")
            async with websockets.connect(f"wss://localhost:{port}/ws/grid", ssl=trusting) as socket:
                await socket.send('{"t":"hello","topics":[]}')
                assert '"welcome"' in str(await asyncio.wait_for(socket.recv(), 10))
            for scheme, healthy in ((tls, True), ({"TLS_CERT": ""}, False)):
                asking = await asyncio.create_subprocess_exec(
                    *image_health(), env=env | scheme, stderr=subprocess.DEVNULL
                )
                assert (await asking.wait() == 0) is healthy
        finally:
            process.terminate()
    assert process.returncode == 0


def image_health() -> list[str]:
    """The command by which a container of the image is asked whether it is well."""
    found = re.search(r"HEALTHCHECK .*\\\n\s+CMD (\[.*\])", (REPOSITORY / "Dockerfile").read_text())
    assert found
    command: list[str] = json.loads(found[1])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


async def _first_answer(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> httpx.Response:
    while True:
        try:
            return await client.get("/health/ready", timeout=20)
        except httpx.ConnectError:
            assert process.poll() is None


async def test_a_socket_under_another_name_is_refused(start_server: StartServer, settings: Settings) -> None:
    server = await asyncio.to_thread(start_server, settings, ALLOWED_HOSTS=f"127.0.0.1:{free_port()}")
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/ws/grid"):
            pass
    assert caught.value.response.status_code == 403
