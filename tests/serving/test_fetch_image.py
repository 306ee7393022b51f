"""Test that only images are fetched, in bounded time and size, and from public addresses."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from circuitvlm.serving import fetch_image as fetching
from circuitvlm.serving.fetch_image import ImageError, fetch_image


def png(size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, 255).save(buffer, format="PNG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """A server that answers in every wrong way."""

    def do_GET(self) -> None:
        where, _, argument = self.path[1:].partition("/")
        if where == "move":
            self.send_response(302)
            self.send_header("Location", argument)
            self.end_headers()
        elif where == "drip":
            self._drip()
        elif where == "gone":
            self.send_error(404)
        elif where == "endless":
            self._send("image/png", png(), length=fetching.MAX_BYTES + 1)
        elif where == "silent":  # says no length
            self._send("image/png", bytes(4000), length=None)
        else:
            bodies = {"ok.png": ("image/png", png()), "page": ("text/html", png()), "liar.png": ("image/png", b"GIF?")}
            self._send(*bodies[where])

    def _send(self, kind: str, body: bytes, length: int | None = -1) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        self.wfile.write(body)

    def _drip(self) -> None:
        """Send a header that never ends, one byte at a time, each after a short wait."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        try:
            for _ in range(200):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, *words: object) -> None:
        """Print nothing in tests."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http_server.daemon_threads = True
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http_server.server_address[1]}"
    http_server.shutdown()
    http_server.server_close()


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a circuit.png"
    path.write_bytes(png())
    assert fetch_image(str(path), folder=tmp_path).open().size == (8, 6)


def test_an_address_gives_its_image(server: str, tmp_path: Path) -> None:
    for where in ("/ok.png", f"/move/{server}/ok.png", "/move//ok.png"):
        assert fetch_image(server + where, folder=tmp_path, allow_private=True).open().size == (8, 6)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("/page", "text/html"),
        ("/liar.png", "not a readable image"),
        ("/gone", "404"),
        ("/endless", "20 MB"),
        ("/move/file:///etc/hostname", "http:// or https://"),
        ("/move/ftp://127.0.0.1/x.png", "http:// or https://"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(where: str, message: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=message):
        fetch_image(server + where, folder=tmp_path, allow_private=True)


def test_redirects_that_lead_in_a_circle_end(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Handler, "do_GET", lambda self: (self.send_response(302), self.send_header("Location", "/"), self.end_headers())
    )
    with pytest.raises(ImageError, match="at most 4 redirects"):
        fetch_image(server, folder=tmp_path, allow_private=True)


def test_more_than_was_allowed_is_not_read_to_its_end(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 3999)
    with pytest.raises(ImageError, match="expected at most"):
        fetch_image(f"{server}/silent", folder=tmp_path, allow_private=True)


def test_a_server_that_drips_is_left_at_the_time_limit(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_SECONDS", 0.4)
    began = time.monotonic()
    with pytest.raises(ImageError, match=r"at most 0\.4 s"):
        fetch_image(f"{server}/drip", folder=tmp_path, allow_private=True)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"],
)
def test_private_addresses_are_refused_in_every_spelling(host: str, server: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="private network"):
        fetch_image(f"http://{host}:{server.rpartition(':')[2]}/ok.png", folder=tmp_path)


def test_a_redirect_into_a_private_network_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_is_public", lambda address: address == "127.0.0.1")
    port = server.rpartition(":")[2]
    assert fetch_image(f"{server}/ok.png", folder=tmp_path).open().size == (8, 6)
    with pytest.raises(ImageError, match=r"127\.0\.0\.2, an address of a private network"):
        fetch_image(f"{server}/move/http://127.0.0.2:{port}/ok.png", folder=tmp_path)


def test_a_name_is_looked_up_once_and_that_address_is_called(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that gives another address the second time has no effect."""
    lookups: list[str] = []
    real = socket.getaddrinfo

    def lookup(host: str, *arguments: object, **options: object) -> object:
        if host == "circuits.example":
            lookups.append(host)
            host = "127.0.0.1" if len(lookups) == 1 else "127.0.0.2"
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(fetching, "_is_public", lambda address: address == "127.0.0.1")
    url = f"http://circuits.example:{server.rpartition(':')[2]}/ok.png"
    assert fetch_image(url, folder=tmp_path).open().size == (8, 6)
    assert lookups == ["circuits.example"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("192.168.1.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("2002:0a00:0001::1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d70e", False),
        ("64:ff9b:1::a00:1", False),
        ("64:ff9b:1:ffff::1", False),
        ("fec0::1", False),
        ("feff::1", False),
        ("::", False),
        ("::1", False),
        ("::a00:1", False),
        ("::5db8:d70e", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.215.14", True),
        ("::ffff:0:10.0.0.1", False),
        ("2001:0:a00:1::1", False),
        ("2002:5db8:d70e::1", True),
        ("ff02::1", False),
        ("0.0.0.0", False),
        ("127.1.2.3", False),
        ("169.254.169.254", False),
        ("198.18.0.1", False),
        ("255.255.255.255", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert fetching._is_public(address) is public


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("gone.png", None, "no such file"),
        ("text.png", b"V1 1 0 5", "not a readable image"),
        ("cut.png", png((200, 200))[:60], "not a readable image"),
        ("script.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "not a readable"),
        ("large.png", png((10_001, 5000)), "pixels"),
    ],
)
def test_files_that_are_no_images_are_named(name: str, body: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(ImageError, match=message) as error_info:
        fetch_image(str(path), folder=tmp_path)
    assert name in str(error_info.value)


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a.png", "file:///etc/hostname", "http://", "http://[::1", "http://a:99999/"]
)
def test_other_schemes_and_broken_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        fetch_image(url, folder=tmp_path, allow_private=True)


def test_an_unknown_host_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*words: object, **options: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(ImageError, match=r"not downloaded: .*not known"):
        fetch_image("https://circuits.example/a.png", folder=tmp_path)
