"""One HTTP process: its listening socket and uvicorn."""

from __future__ import annotations

import errno
import gc
import http.client
import ipaddress
import signal
import socket
import ssl
import sys
import time
from types import FrameType

import uvicorn

from server.settings import Settings, SettingsError

BACKLOG = 2048
GRACE = 20  # seconds that requests under way may still take at shutdown
KEEP_ALIVE = 75  # seconds; longer than a load balancer's idle timeout, so that it is never us who hang up first


class PortTaken(SettingsError):
    """Something listens on HOST and PORT."""


def bind(settings: Settings, *, shared: bool, setting: str = "PORT") -> socket.socket:
    """A socket bound to HOST and PORT, which does not listen yet. `setting` is what a refusal names as to be changed.

    With `shared` several processes bind the same port and the kernel spreads connections over them evenly (one
    accepting socket for all is emptied by whichever process wakes first). Raises `SettingsError` if the address
    cannot be had.
    """
    bound = socket.socket(_family(settings.host), socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((settings.host.strip("[]"), settings.port))
    except OSError as error:
        bound.close()
        kind = PortTaken if error.errno == errno.EADDRINUSE else SettingsError
        raise kind(_refusal(settings, error, setting)) from None
    bound.settimeout(0)
    return bound


def require_free_port(settings: Settings, *, patience: float = 0) -> None:
    """Raise `SettingsError` if something listens on HOST and PORT, also what would share the port.

    For `patience` seconds the port may still be in use: by a server whose supervisor was killed just now.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            bind(settings, shared=False).close()  # listening would take a client's connection and drop it
        except PortTaken:
            if time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(0.05)


def serve_here(settings: Settings, *, shared: bool) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests under way. Raises `SettingsError` for a taken port."""
    with bind(settings, shared=shared) as bound:
        config = uvicorn.Config(
            "server.app:app",
            loop="uvloop",
            http="httptools",
            ws="server.live.fanout:GridProtocol",
            ws_ping_interval=None,  # the live protocol has pings of its own, which say more
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # TRUSTED_PROXIES decides whom to believe
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            backlog=BACKLOG,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
        config.load()
        # What is there now stays: without this each full collection walks all modules and the OpenAPI document, and
        # took 9 % of the time of a booking.
        gc.collect()
        gc.freeze()
        # uvicorn raises what stopped it once more, after the last request: being told to stop is no failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
        uvicorn.Server(config).run(sockets=[bound])


def answers(settings: Settings) -> bool:
    """Whether the server at HOST and PORT answers that it lives."""
    host = _reachable_host(settings.host)
    connection = (
        # Whether it answers, not who it is: the certificate names the site, and this asks by address.
        http.client.HTTPSConnection(host, settings.port, timeout=2, context=ssl._create_unverified_context())  # noqa: S323, SLF001
        if settings.tls_cert
        else http.client.HTTPConnection(host, settings.port, timeout=2)
    )
    try:
        connection.request("GET", "/health/live", headers={"Connection": "close"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the server."""
    host = _reachable_host(settings.host)
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _reachable_host(host: str) -> str:
    plain = host.strip("[]")
    try:
        if ipaddress.ip_address(plain).is_unspecified:
            return "::1" if ":" in plain else "127.0.0.1"
    except ValueError:
        pass
    return plain


def _refusal(settings: Settings, error: OSError, setting: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {settings.port} of {settings.host} is taken; stop what uses it, or set {setting} to another."
    if error.errno == errno.EACCES:
        return f"Port {settings.port} may not be used by this user; set {setting} to one from 1024 up."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"HOST is {settings.host!r}, which is no address of this machine; set it to one, such as 127.0.0.1."
    return f"Port {settings.port} of {settings.host} cannot be used: {error.strerror}."
