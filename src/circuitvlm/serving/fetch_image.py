"""Open an image by its file name or web address, and check it before it is decoded.

A downloaded image is untrusted: one time limit holds for the whole download, and one size limit; only common image
formats are accepted, and no address of a private network, whatever name or redirect leads there. Proxies are not used.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from PIL import Image

from circuitvlm.core.record import Picture

MAX_SECONDS = 20.0
"""Time limit of a download with its redirects."""

MAX_BYTES = 20_000_000
"""Size limit of a download."""

MAX_REDIRECTS = 4

MAX_PIXELS = 50_000_000
"""Size limit of an image that is decoded."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""The formats that are decoded. Of the others that Pillow knows, EPS starts a PostScript interpreter."""

log = logging.getLogger(__name__)

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REDIRECT_CODES = (301, 302, 303, 307, 308)
_UNQUOTED_CHARACTERS = "%/:=&?~+!$,;'@()*[]"
_REFUSED_NETWORKS = tuple(
    map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "fec0::/10", "2001::/32", "::ffff:0:0:0/96"))
)
"""Networks that lead to addresses of a private network, some of which Python calls global: NAT64 (RFC 6052 and 8215),
IPv4-compatible (RFC 4291), site-local (RFC 3879), Teredo (RFC 4380) and IPv4-translated addresses (RFC 2765)."""


class ImageError(ValueError):
    """An image that is missing, refused or unreadable; the message names it."""


def fetch_image(name: str, *, folder: Path, allow_private: bool = False) -> Picture:
    """The image with this file name or http(s) address; a downloaded one is written to `folder`.

    With `allow_private`, addresses of private networks and of this machine are accepted too. Raises ImageError.
    """
    if _URL.match(name):
        path = folder / hashlib.sha256(name.encode()).hexdigest()[:16]
        path.write_bytes(_download(name, allow_private=allow_private))
    else:
        path = Path(name).expanduser()
        if not path.is_file():
            raise ImageError(f"{name}: expected an image file or an http(s) address, got no such file")
    _check_image(path, name=name)
    return Picture(path)


def _check_image(path: Path, *, name: str) -> None:
    try:
        with Image.open(path, formats=FORMATS) as image:
            size, frame_count = image.size, getattr(image, "n_frames", 1)
            if size[0] * size[1] <= MAX_PIXELS:
                image.load()
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise ImageError(f"{name}: not a readable image; expected one of {', '.join(FORMATS)}") from error
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(f"{name}: expected at most {MAX_PIXELS:,} pixels, got {size[0]} x {size[1]}")
    if frame_count > 1:
        log.warning("%s: %d pages or frames; the first is used", _printable(name), frame_count)


def _download(url: str, *, allow_private: bool) -> bytes:
    deadline = time.monotonic() + MAX_SECONDS
    address = url
    for _ in range(MAX_REDIRECTS + 1):
        try:
            with _connect(address, deadline=deadline, allow_private=allow_private) as connection:
                response = _request(connection, _split_url(address))
            if time.monotonic() >= deadline:
                raise TimeoutError  # the connection was cut, and the image may be incomplete
        except (OSError, http.client.HTTPException, ImageError) as error:
            is_late = time.monotonic() >= deadline or isinstance(error, TimeoutError)
            if isinstance(error, ImageError) and not is_late:
                raise
            reason = (
                f"expected a complete image in at most {MAX_SECONDS:g} s, got none"
                if is_late
                else str(error) or type(error).__name__
            )
            raise ImageError(f"{_printable(address)}: not downloaded: {reason}") from error
        if isinstance(response, bytes):
            return response
        address = urljoin(address, response)
    raise ImageError(f"{_printable(url)}: expected at most {MAX_REDIRECTS} redirects, got more")


def _request(connection: http.client.HTTPConnection, parts: SplitResult) -> bytes | str:
    """The bytes of the image, or the address of a redirect."""
    target = quote(parts.path or "/", safe=_UNQUOTED_CHARACTERS) + (
        f"?{quote(parts.query, safe=_UNQUOTED_CHARACTERS)}" if parts.query else ""
    )
    headers = {"User-Agent": "circuitvlm", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    address, location = _printable(parts.geturl()), response.getheader("Location")
    if response.status in _REDIRECT_CODES and location:
        return location
    if response.status != 200:
        raise ImageError(f"{address}: expected status 200, got {response.status} {_printable(response.reason)}")
    content_type = response.headers.get_content_type()
    if not content_type.startswith("image/"):
        raise ImageError(f"{address}: expected an image, got {_printable(content_type)}")
    data = response.read(MAX_BYTES + 1) if (response.length or 0) <= MAX_BYTES else bytes(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(f"{address}: expected at most {MAX_BYTES // 1_000_000} MB, got more")
    return data


def _split_url(url: str) -> SplitResult:
    """The parts of an http(s) address with a host. Raises ImageError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImageError(f"{_printable(url)}: expected a web address, got an error: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ImageError(f"{_printable(url)}: expected an address with http:// or https:// and a host")
    return parts


@contextmanager
def _connect(url: str, *, deadline: float, allow_private: bool) -> Iterator[http.client.HTTPConnection]:
    """A connection to a checked address. It is cut at the deadline, however slowly bytes arrive."""
    parts = _split_url(url)
    assert parts.hostname is not None, "_split_url() requires a host"
    default_port = 443 if parts.scheme == "https" else 80
    port = parts.port or default_port
    connected_socket = _open_socket(parts.hostname, port, deadline=deadline, allow_private=allow_private)
    # shutdown() wakes a thread that waits for the socket, close() does not. With TLS it acts on the plain socket.
    handle = connected_socket.dup()
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), _shut_down, args=[handle])
    timer.daemon = True
    timer.start()
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connected_socket = context.wrap_socket(connected_socket, server_hostname=parts.hostname)
        connection = http.client.HTTPConnection(parts.hostname, port)
        connection.default_port = default_port  # for the Host header
        connection.sock = connected_socket
        yield connection
    finally:
        timer.cancel()
        handle.close()
        connected_socket.close()


def _shut_down(handle: socket.socket) -> None:
    with suppress(OSError):  # the connection may have ended already
        handle.shutdown(socket.SHUT_RDWR)


def _open_socket(host: str, port: int, *, deadline: float, allow_private: bool) -> socket.socket:
    """A socket to one of the host's checked addresses.

    The name is resolved once, so that a second answer of the name server cannot lead to another address.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise ImageError(f"{_printable(host)}: expected the name of a host, got an invalid one") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    private_addresses = [address for address in addresses if not _is_public(address)]
    if private_addresses and not allow_private:
        raise ImageError(
            f"{_printable(host)}: expected a public address, got {private_addresses[0]}, an address of a private "
            "network; --allow-private accepts it"
        )
    for address in addresses[:-1]:
        with suppress(OSError):  # the next address of the host may answer
            return socket.create_connection((address, port), timeout=max(0.1, deadline - time.monotonic()))
    return socket.create_connection((addresses[-1], port), timeout=max(0.1, deadline - time.monotonic()))


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in network for network in _REFUSED_NETWORKS):
            return False
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


def _printable(text: str) -> str:
    """The text for a message: without control characters, and cut after 120 characters."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= 120 else printable[:120] + "…"
