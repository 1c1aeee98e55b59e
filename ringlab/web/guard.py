"""Who may ask the live view for what: pure answers to what a request's headers say.

A page of another site can't read ours (same origin), but it can have a browser send requests here: by a name that its
own DNS leads to 127.0.0.1 (*rebinding*), or by a form. So the name that a browser asks for must be one of ours or a
bare address, which no DNS decides; and whatever changes anything needs a token that only the printed address holds.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection
from hmac import compare_digest
from ipaddress import ip_address

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]/@\s]+)(?::\d{1,5})?")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def is_our_name(host: str, ours: Collection[str]) -> bool:
    """Whether the ``Host`` header names us: by a bare address, as localhost, or by a name of ``ours``."""
    found = _HOST.fullmatch(host.strip())
    if not found:
        return False
    name = found["name"].strip("[]").lower()
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost" or name in {one.lower() for one in ours}
    return True


def may_change(authorization: str, token: str | None) -> bool:
    """Whether the ``Authorization`` header holds the token; never where there is none."""
    return token is not None and compare_digest(authorization.encode(), f"Bearer {token}".encode())


def is_same_site(origin: str | None, host: str) -> bool:
    """Whether a request comes from our own page, or from no page at all."""
    return origin is None or origin.partition("://")[2] == host


def headers(page: str) -> dict[str, str]:
    """Of every answer. Only our own files may be loaded; the drawing's style block is allowed by its hash."""
    hashes = " ".join(f"'sha256-{_hash(style)}'" for style in _STYLE.findall(page))
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self' {hashes}; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
