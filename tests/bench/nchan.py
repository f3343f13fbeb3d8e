"""nginx with nchan, where Debian's libnginx-mod-nchan is installed: a fan-out in C to measure ours against."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from server.embedded.process import free_port

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
CONFIG = """
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 19000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location = /publish {{
            nchan_publisher;
            nchan_channel_id grid;
            nchan_message_buffer_length 2000;
        }}
        location = /watch {{
            nchan_subscriber websocket;
            nchan_channel_id grid;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


def installed() -> str | None:
    """What nginx calls itself, if it is there with nchan."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    return program if program is not None and MODULE.exists() else None


@contextmanager
def running_nchan(program: str, folder: Path) -> Iterator[tuple[int, int]]:
    """nginx with one worker; its process and port."""
    folder.mkdir()
    port = free_port()
    (folder / "nginx.conf").write_text(CONFIG.format(module=MODULE, folder=folder, port=port))
    process = subprocess.Popen([program, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")], cwd=folder)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"nginx did not start: {(folder / 'error.log').read_text()}") from None
                time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(20)


def publish(connection: http.client.HTTPConnection, text: Callable[[int], bytes], first: int, rows: int) -> None:
    """Publish rows one after another, each when the one before is taken."""
    for version in range(first, first + rows):
        connection.request("POST", "/publish", text(version))
        answer = connection.getresponse()
        answer.read()
        if answer.status not in {201, 202}:
            raise RuntimeError(f"nchan answered {answer.status}")
