"""Where a redirect may lead.

Owns the verdict on each: to another host by the same scheme, with no credentials but those that the new address itself
holds. Another scheme, and the step between this machine and others, take the site's word (the setting ``redirects``).
It must not connect.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urljoin, urlsplit

import requests

SCHEME, LOOPBACK = "scheme", "loopback"
"""What the setting may hold."""
MOST = 10
_FOLLOWED = {"http": 80, "https": 443}


def target(url: str, location: str) -> str:
    """Return the URL that a redirect from *url* leads to, with the credentials of *url* only where these belong.

    Raises ValueError, also as requests' InvalidURL, for what is no URL.
    """
    # In the form in which requests will ask for it: what is judged must be what is asked.
    prepared = requests.Request("GET", urljoin(url, requests.utils.requote_uri(location))).prepare().url or ""
    before, after = urlsplit(url), urlsplit(prepared)
    if "@" not in after.netloc and _origin(url) == _origin(prepared):
        after = after._replace(netloc=before.netloc)
    return after.geturl()


def objection(asked: str, led_to: str, allowed: Collection[str]) -> str | None:
    """Return why *led_to* may not take the place of *asked*, the URL of a request; None if it may.

    *allowed* are the exceptions that the site makes: ``SCHEME`` and ``LOOPBACK``.
    """
    before, after = urlsplit(asked), urlsplit(led_to)
    if after.scheme not in _FOLLOWED or not after.hostname:
        return "which is not HTTP"
    if after.scheme != before.scheme and SCHEME not in allowed:
        return "another scheme"
    here = is_loopback(after.hostname)
    if LOOPBACK not in allowed and here != is_loopback(before.hostname or ""):
        # What a service of this machine says to a stranger it may not mean, and what is accepted from here because it
        # is from here must be from here.
        return "which is this machine itself" if here else "which is another machine"
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    split = urlsplit(url)
    return split.scheme, split.hostname, split.port or _FOLLOWED.get(split.scheme)


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address, in whatever form the resolver takes, leads back to this machine."""
    try:
        found = socket.getaddrinfo(host.rstrip("."), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # nobody knows it, which connecting will say
        return False
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    plain = [getattr(address, "ipv4_mapped", None) or address for address in addresses]
    return any(address.is_loopback or address.is_unspecified for address in plain)
