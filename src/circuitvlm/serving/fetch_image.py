"""Which image does a person mean? A file, or what an address on the web gives; checked before anything decodes it.

What comes from the web is a stranger's: one time limit over all of it, one size limit, images of common formats only,
and no address of a private network, whatever name or redirect leads there. Proxies are not asked.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from PIL import Image

from circuitvlm.core.record import Picture

SECONDS = 20.0
"""Time limit of a download, with its redirects."""

BYTES = 20_000_000
"""Size limit of a download."""

HOPS = 4
"""Redirects that are followed."""

PIXELS = 50_000_000
"""Largest image that is decoded."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
"""What is decoded. Pillow knows more, one of which (EPS) starts an interpreter of PostScript."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MOVED = (301, 302, 303, 307, 308)
_HARMLESS = "%/:=&?~+!$,;'@()*[]"
_LATE = "it took longer than {:g} s"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class ImageError(ValueError):
    """An image that is missing, refused, or not readable; the message names it."""


def is_url(what: str) -> bool:
    """Whether the text has the form of an address on the web, not of a file's name."""
    return _URL.match(what) is not None


def fetch_image(what: str, *, folder: Path, allow_private: bool = False) -> Picture:
    """The image that a file's name or an http(s) address gives; a downloaded one is kept in `folder`.

    `allow_private` also takes addresses of private networks and of this machine. Raises ImageError.
    """
    if not is_url(what):
        path = Path(what).expanduser()
        if not path.is_file():
            raise ImageError(f"{what}: no such file; wanted an image file or an http(s) address")
    else:
        path = folder / hashlib.sha256(what.encode()).hexdigest()[:16]
        path.write_bytes(_download(what, allow_private=allow_private))
    _refuse_unreadable(path, name=what)
    return Picture(path)


def _refuse_unreadable(path: Path, *, name: str) -> None:
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > PIXELS:
                raise ImageError(f"{name}: {width} x {height} pixels; at most {PIXELS:,} are read")
            image.load()
    except ImageError:
        raise
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise ImageError(f"{name}: not a readable image; wanted one of {', '.join(FORMATS)}") from error


def _download(url: str, *, allow_private: bool) -> bytes:
    until = time.monotonic() + SECONDS
    here = url
    for _ in range(HOPS + 1):
        try:
            with _connected(here, until=until, allow_private=allow_private) as connection:
                found = _answer(connection, _parts(here))
        except (OSError, http.client.HTTPException, ImageError) as error:
            if isinstance(error, ImageError) and time.monotonic() < until:
                raise
            late = time.monotonic() >= until or isinstance(error, TimeoutError)
            why = _LATE.format(SECONDS) if late else str(error) or type(error).__name__
            raise ImageError(f"{_shown(here)}: not downloaded: {why}") from error
        if time.monotonic() >= until:  # cut off: what has come may be half of it
            raise ImageError(f"{_shown(here)}: not downloaded: {_LATE.format(SECONDS)}")
        if isinstance(found, bytes):
            return found
        here = urljoin(here, found)
    raise ImageError(f"{_shown(url)}: more than {HOPS} redirects")


def _answer(connection: http.client.HTTPConnection, parts: SplitResult) -> bytes | str:
    """The image's bytes, or the address that the server sends us on to."""
    target = quote(parts.path or "/", safe=_HARMLESS) + (
        f"?{quote(parts.query, safe=_HARMLESS)}" if parts.query else ""
    )
    headers = {"User-Agent": "circuitvlm", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    where, onwards = _shown(parts.geturl()), response.getheader("Location")
    if response.status in _MOVED and onwards:
        return onwards
    if response.status != 200:
        raise ImageError(f"{where}: the server says {response.status} {_shown(response.reason)}")
    kind = response.headers.get_content_type()
    if not kind.startswith("image/"):
        raise ImageError(f"{where}: the server sends {_shown(kind)}; wanted an image")
    data = response.read(BYTES + 1) if (response.length or 0) <= BYTES else bytes(BYTES + 1)
    if len(data) > BYTES:
        raise ImageError(f"{where}: more than {BYTES // 1_000_000} MB")
    return data


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImageError(f"{_shown(url)}: not an address ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ImageError(f"{_shown(url)}: wanted an address that begins with http:// or https:// and names a host")
    return parts


@contextmanager
def _connected(url: str, *, until: float, allow_private: bool) -> Iterator[http.client.HTTPConnection]:
    """A connection to an address that was looked at first, cut when the time is over however slowly bytes drip."""
    parts = _parts(url)
    assert parts.hostname is not None, "_parts() asks for a host"
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    raw = _socket(parts.hostname, port, until=until, allow_private=allow_private)
    # shutdown() wakes a thread that waits for the socket, close() does not; of a TLS socket, the plain one below it
    handle = raw.dup()
    watch = threading.Timer(max(0.0, until - time.monotonic()), _cut, args=[handle])
    watch.daemon = True
    watch.start()
    try:
        if secure:
            raw = ssl.create_default_context().wrap_socket(raw, server_hostname=parts.hostname)
        connection = http.client.HTTPConnection(parts.hostname, port)
        connection.default_port = 443 if secure else 80  # for the Host header
        connection.sock = raw
        yield connection
    finally:
        watch.cancel()
        handle.close()
        raw.close()


def _cut(handle: socket.socket) -> None:
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return


def _socket(host: str, port: int, *, until: float, allow_private: bool) -> socket.socket:
    """Connected to one of the host's addresses: the very ones that were looked at, so no second answer of a name
    server can lead elsewhere.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise ImageError(f"{_shown(host)}: not the name of a host") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    private = [address for address in addresses if not _is_public(address)]
    if private and not allow_private:
        raise ImageError(
            f"{_shown(host)} is {private[0]}, an address of a private network; --allow-private takes those too"
        )
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout=max(0.1, until - time.monotonic()))
        except OSError:
            continue  # the host's next address may answer
    return socket.create_connection((addresses[-1], port), timeout=max(0.1, until - time.monotonic()))


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64 or ip.teredo is not None:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return ip.is_global and not ip.is_multicast


def _shown(text: str) -> str:
    """For a message: without control characters, and not too long."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 120 else plain[:120] + "…"
