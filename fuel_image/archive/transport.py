"""One answer to one request for a file.

Owns HTTP and ``file`` URIs: a URL is opened at an offset, and everything that can go wrong, now or while reading,
becomes a ``Failure`` that says whether asking again can help. Credentials are those of the URL that is asked, and
nobody's else. It must not retry; ``fetch.py`` does.
"""

from __future__ import annotations

import email.utils
import re
import ssl
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import requests
import requests.auth
import urllib3

from fuel_image import __version__
from fuel_image.archive import redirects
from fuel_image.archive.pace import Adapter, TooSlow
from fuel_image.archive.throttle import Throttle
from fuel_image.errors import redact
from fuel_image.request import Proxies

_LONGEST_RETRY_AFTER_SECONDS = 60.0
_TIMEOUT_SECONDS = (10.0, 30.0)  # to connect, between two reads
_CHUNK_BYTES = 1 << 16  # of one that breaks off nothing is kept
_NUMBER = re.compile(r"[0-9]{1,18}")
_CONNECTION = re.compile(r"^(<.*>|\w+\(.*?\)): ")
"""How urllib3 names the connection that a message is about; we say the URL."""
_MISSING = (404, 410)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REDIRECT_ADVICE = (
    "name the address that it redirects to, or, where this is meant, let the site's configuration for builds say "
    f"redirects: [{redirects.SCHEME}], [{redirects.LOOPBACK}] or both"
)
_TLS_ADVICE = (
    "use the name that the certificate is for, check this host's clock, and have the authority that signed it among "
    "those that this host trusts, or in the file that REQUESTS_CA_BUNDLE names"
)


class Failure(Exception):
    """One try at one URL failed. *missing*: the mirror has no such file; *final*: asking again cannot help.

    *advice* says what can, where that is known; *wait_seconds* is how long the mirror asks to be left alone.
    """

    def __init__(
        self,
        message: str,
        *,
        missing: bool = False,
        final: bool = False,
        wait_seconds: float = 0.0,
        advice: str = "",
    ) -> None:
        super().__init__(redact(message))
        self.advice = advice
        self.missing = missing
        self.final = final
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class Body:
    """An answer: the stream of a file from *offset* on, and how long it says that it is, if it does."""

    stream: requests.Response | BinaryIO
    offset: int
    length_bytes: int | None
    throttle: Throttle

    def chunks(self, limit_bytes: int) -> Iterator[bytes]:
        """Give the content; raise Failure if it is longer than *limit_bytes* or shorter than announced."""
        count = 0
        if isinstance(self.stream, requests.Response):
            parts = self.stream.iter_content(_CHUNK_BYTES)
        else:
            read = self.stream.read
            parts = iter(lambda: read(_CHUNK_BYTES), b"")
        for part in parts:
            count += len(part)
            if count > limit_bytes:
                raise Failure(f"it is longer than the {self.offset + limit_bytes} bytes that it may have")
            self.throttle.took(len(part))
            yield part
        if self.length_bytes is not None and count != self.length_bytes:
            raise Failure(f"it broke off after {self.offset + count} of {self.offset + self.length_bytes} bytes")


class _Session(requests.Session):
    """Leaves redirects to us: requests follows more of them than we do."""

    def resolve_redirects(self, *_arguments: Any, **_options: Any) -> Iterator[Any]:
        """Follow none."""
        return iter(())


class Transport:
    """Opens URLs, through the proxies of the request; safe for as many threads as it has *connections*.

    *allowed* are the redirects that are followed though they lead to another scheme or to this machine.
    """

    def __init__(self, proxies: Proxies, connections: int, throttle: Throttle, allowed: Collection[str] = ()) -> None:
        self._proxies = proxies
        self._throttle = throttle
        self._allowed = allowed
        self._session = _Session()
        self._session.auth = _own_credentials  # and not what a ~/.netrc of the host knows
        self._session.headers["User-Agent"] = f"fuel-image/{__version__}"
        self._session.headers["Accept-Encoding"] = (
            "identity"  # sizes and digests are those of the file as it lies there
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, Adapter(pool_connections=connections, pool_maxsize=connections))

    def _proxies_for(self, url: str) -> Any:
        """Return the proxies for a URL; None keeps requests from taking the environment's for a direct host."""
        if urlsplit(url).hostname in self._proxies.direct_hosts:
            return {"http": None, "https": None}
        return dict(self._proxies.by_scheme)

    def is_direct(self, url: str) -> bool:
        """Tell whether a URL is asked for without a proxy, the environment's among them."""
        settings = self._session.merge_environment_settings(url, self._proxies_for(url), True, None, None)
        return requests.utils.select_proxy(url, settings["proxies"]) is None

    @contextmanager
    def opened(self, url: str, offset: int) -> Iterator[Body]:
        """Ask for *url* from *offset* on; turn everything that can go wrong, now or while reading, into Failure."""
        if urlsplit(url).scheme == "file":
            with _opened_file(url, offset) as body:
                yield body
            return
        try:
            with self._answered(url, {"Range": f"bytes={offset}-"} if offset else {}) as response:
                if response.status_code == requests.codes.partial_content:
                    start = response.headers.get("Content-Range", "").partition("bytes ")[2].partition("-")[0]
                    if start != str(offset):
                        raise Failure(f"it answered a request for bytes from {offset} with others")
                elif response.status_code != requests.codes.ok:
                    raise _refusal(response)
                else:
                    offset = 0
                length = response.headers.get("Content-Length", "")
                length_bytes = int(length) if _NUMBER.fullmatch(length) else None
                yield Body(response, offset, length_bytes, self._throttle)
        except requests.exceptions.SSLError as error:
            raise _tls_failure(error) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise Failure(_cause(error), final=True) from None
        except requests.exceptions.RequestException as error:
            raise Failure(_cause(error)) from None
        except TooSlow as error:
            raise Failure(str(error)) from None
        except (urllib3.exceptions.HTTPError, UnicodeError) as error:  # some get past requests: a host name ".."
            raise Failure(_cause(error), final=True) from None

    def _answered(self, url: str, headers: dict[str, str]) -> requests.Response:
        """Return the answer to a request, or to the one that it is redirected to."""
        asked = url
        for _ in range(redirects.MOST + 1):
            response = self._sent(asked, headers)
            location = self._session.get_redirect_target(response)
            if location is None:
                return response
            response.close()
            try:
                asked = redirects.target(asked, location)
            except ValueError as error:
                raise Failure(f"it redirects to {location[:200]!r}: {error}", final=True) from None
            objection = redirects.objection(url, asked, self._allowed)
            if objection is not None:
                raise Failure(f"it redirects to {asked}, {objection}", final=True, advice=_REDIRECT_ADVICE)
        raise Failure(f"it redirects more than {redirects.MOST} times, at last to {asked}", final=True)

    def _sent(self, url: str, headers: dict[str, str]) -> requests.Response:
        host = urlsplit(url).hostname or ""
        if "%" in host and ":" not in host:  # on which http.client fails an assertion
            raise Failure(f"{host} is no name of a host", final=True)
        try:
            return self._session.get(
                url,
                headers=headers,
                proxies=self._proxies_for(url),
                stream=True,
                timeout=_TIMEOUT_SECONDS,
            )
        except requests.exceptions.RequestException:
            raise
        except OSError as error:  # a REQUESTS_CA_BUNDLE that is not there
            raise Failure(str(error), final=True, advice=_TLS_ADVICE) from None


def _own_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Give a request the credentials that stand in its URL."""
    user, password = requests.utils.get_auth_from_url(request.url or "")
    return requests.auth.HTTPBasicAuth(user, password)(request) if user or password else request


@contextmanager
def _opened_file(url: str, offset: int) -> Iterator[Body]:
    try:
        file = Path(unquote(urlsplit(url).path)).open("rb")  # noqa: SIM115  (what fails later is not the opening)
    except (FileNotFoundError, NotADirectoryError):
        raise Failure("no such file", missing=True) from None
    except (OSError, ValueError) as error:
        raise Failure(str(error)) from None
    with file:
        file.seek(offset)
        yield Body(file, offset, None, Throttle(None))


def _refusal(response: requests.Response) -> Failure:
    code = response.status_code
    message = f"HTTP {code} {response.reason}"
    if code in _MISSING:
        return Failure(message, missing=True)
    passing = code in _PASSING or code == requests.codes.requested_range_not_satisfiable
    after, now = (response.headers.get(name, "") for name in ("Retry-After", "Date"))
    return Failure(message, final=not passing, wait_seconds=_asked_seconds(after, now))


def _asked_seconds(after: str, now: str) -> float:
    """Return for how long a mirror asks to be left alone: its Retry-After, a number or a date by its own clock."""
    if _NUMBER.fullmatch(after):
        return min(float(after), _LONGEST_RETRY_AFTER_SECONDS)
    try:
        then, since = (email.utils.parsedate_to_datetime(text).timestamp() for text in (after, now or _http_now()))
    except (ValueError, TypeError, OverflowError):  # up to Python 3.9 what is no date is a TypeError
        return 0.0
    return max(0.0, min(then - since, _LONGEST_RETRY_AFTER_SECONDS))


def _http_now() -> str:
    return email.utils.formatdate(usegmt=True)


def _tls_failure(error: BaseException) -> Failure:
    """Tell a certificate that is not to be trusted, for which asking again does not help, from a broken connection."""
    final = _proves_nothing(error)
    return Failure(f"TLS: {_cause(error)}", final=final, advice=_TLS_ADVICE if final else "")


def _proves_nothing(error: object) -> bool:
    """Tell whether a certificate is at the bottom of an error, as its cause or, through a proxy, its argument."""
    if not isinstance(error, BaseException):
        return False
    inner = (error.__cause__, error.__context__, *error.args)
    return isinstance(error, ssl.SSLCertVerificationError) or any(map(_proves_nothing, inner))


def _cause(error: BaseException) -> str:
    """Return the innermost reason of an error of requests, which wraps several layers of others' prose."""
    reason = error.args[0] if error.args else error
    reason = getattr(reason, "reason", reason)
    return _CONNECTION.sub("", str(reason)) or type(error).__name__
