"""Signatures: whose word on a repository is believed.

Every key is made on the spot, and everything is signed with GnuPG itself.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuel_image.archive import opening, trust
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.pool import Pool
from fuel_image.archive.release import Release
from fuel_image.archive.seen import Seen
from fuel_image.archive.signature import SHIPPED_KEYS, Unsigned
from fuel_image.archive.trust import Inquiry
from fuel_image.errors import FetchError, ReleaseError
from fuel_image.progress import Step, step
from fuel_image.request import Proxies, Repository
from tests.integration import repository
from tests.integration.conftest import PROGRAM, Fuel, Request
from tests.integration.images import output_of
from tests.integration.repository import Signer
from tests.integration.servers import Handler, directory, serving

from .conftest import Tried
from .examples import EXAMPLES

NEEDS_KEY = 'give this repository a "key" (armored text, a path, or an https URL with "fingerprint")'
NEEDS_NEW_KEY = 'give this repository its owner\'s new key as "key"'
NEEDS_SIGNING = "have its Release signed anew, with SHA-256 or better"
NEEDS_MIRROR = "check the mirror and what lies between it and this host"
TRUSTED = 'or, if its bytes need no proof, "trusted": true'
ELSEWHERE = "127.0.0.2"
"""A name for loopback that is not known as this machine's: what lives here is trusted, what lives there is not."""
FLIPPED_EVERY = 7 if EXAMPLES <= 1000 else 1
EVIL = "Origin: Evil\nSuite: stable\nSHA256:\n"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    """The owner of the repositories of these tests."""
    made = Signer(tmp_path_factory.mktemp("owner") / "gnupg")
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[..., Signer]]:
    """Return a function that makes keys of others."""
    made: list[Signer] = []

    def make(**how: Any) -> Signer:
        made.append(Signer(tmp_path / f"gnupg-{len(made)}", **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a mirror be asked once: that it is asked again is told in test_mirror.py."""
    monkeypatch.setattr(trust, "_AGAIN_SECONDS", ())


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """The Release of a suite without a package, unsigned."""
    (tmp_path / "mirror").mkdir()
    return repository.release(tmp_path / "mirror", "stable")


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Release]:
    """Return a function that asks the suite for its Release, as every build does, and returns what is believed."""

    def asked(proxies: Proxies | None = None, **fields: Any) -> Release:
        uris = fields.pop("uris", ((tmp_path / "mirror").as_uri(),))
        fetcher = Fetcher(Pool(tmp_path / "pool"), proxies, attempts=2)
        mine = Repository("mine", uris, "stable", ("main",), **fields)
        (answer,) = trust.ask_all((mine,), Inquiry(fetcher, tmp_path, Seen(tmp_path / "seen")))
        if answer.unreachable is not None:
            raise answer.unreachable
        assert answer.release is not None
        return answer.release

    return asked


def request_of(tmp_path: Path, **repo: object) -> Request:
    """Return a request for which only the suite of these tests is asked."""
    image = {"uri": "http://127.0.0.1/node.img.gz", "format": "ext4", "container": "gzip"}
    mine = {"name": "mine", "suite": "stable", "section": "main", **repo}
    return {"image_data": {"/": image}, "output": str(tmp_path / "output"), "repos": [mine], "codename": "bookworm"}


def expired(release: Path, other: Callable[..., Signer]) -> Signer:
    signer = other(now="20200101T000000", expires="20200301T000000")
    signer.sign(release)
    return signer


def of_a_time_to_come(release: Path, other: Callable[..., Signer]) -> Signer:
    signer = other(now="20990101T000000")
    signer.sign(release)
    return signer


def revoked(release: Path, other: Callable[..., Signer]) -> Signer:
    signer = other()
    signer.sign(release)
    signer.revoke()
    return signer


def with_expired_signature(release: Path, other: Callable[..., Signer]) -> Signer:
    signer = other(now="20200101T000000")
    signer.sign(release, "--default-sig-expire", "5d")
    return signer


def with_weak_digest(release: Path, other: Callable[..., Signer]) -> Signer:
    signer = other()
    signer.sign(release, "--digest-algo", "SHA1")
    return signer


@pytest.mark.parametrize(
    ("sign", "reason", "advice"),
    [
        (expired, "the key that signed it has expired", NEEDS_NEW_KEY),
        (revoked, "the key that signed it was revoked", NEEDS_NEW_KEY),
        (with_expired_signature, "its signature has expired", NEEDS_SIGNING),
        (with_weak_digest, "it is signed with a weak digest", NEEDS_SIGNING),
        (of_a_time_to_come, "is not valid yet", "check this host's clock; or " + NEEDS_KEY),
    ],
)
def test_a_key_in_the_request_that_does_not_count_any_more(
    fuel: Fuel,
    released: Path,
    tmp_path: Path,
    other: Callable[..., Signer],
    sign: Callable[[Path, Callable[..., Signer]], Signer],
    reason: str,
    advice: str,
) -> None:
    """A repository that is signed by an expired or revoked key, too long ago, or with a weak digest is refused, with
    the reason and with what to add to the request.
    """
    key = sign(released, other).key
    ended = fuel(request_of(tmp_path, uri=(tmp_path / "mirror").as_uri(), key=key), expect=1)
    assert reason in ended.stderr
    assert advice in ended.stderr and TRUSTED in ended.stderr
    assert not (tmp_path / "output").exists()


def test_what_is_not_signed_by_a_key_that_counts_is_refused(
    fuel: Fuel, signer: Signer, other: Callable[..., Signer], released: Path, tmp_path: Path
) -> None:
    """A repository that is unsigned, or signed by a key that does not count, is refused, with what to add to the
    request.
    """
    with directory(tmp_path / "mirror", host=ELSEWHERE) as url:
        unsigned = fuel(request_of(tmp_path, uri=url), expect=1).stderr
        assert "its Release is not signed" in unsigned and NEEDS_KEY in unsigned and TRUSTED in unsigned
        signer.sign(released)
        for mine in ({}, {"key": other().key}, {"fingerprint": signer.fingerprint}):
            stranger = fuel(request_of(tmp_path, uri=url, **mine), expect=1).stderr
            assert f"it is signed by {signer.fingerprint}, which is not among the keys that count for it" in stranger
            assert NEEDS_KEY in stranger and TRUSTED in stranger
        wrong = {"key": signer.key, "fingerprint": "A" * 40}
        another = fuel(request_of(tmp_path, uri=url, **wrong), expect=1).stderr
        assert f"it is signed by {signer.fingerprint}, not by the key with the fingerprint in the request" in another
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("digest", ["MD5", "SHA1", "RIPEMD160"])
@pytest.mark.parametrize("form", ["sign", "detach"])
def test_weak_digests(digest: str, form: str, signer: Signer, released: Path, ask: Callable[..., Release]) -> None:
    """A signature with MD5, SHA-1 or RIPEMD-160 does not count, in either form."""
    getattr(signer, form)(released, "--allow-weak-digest-algos", "--digest-algo", digest)
    with pytest.raises(Unsigned, match="weak digest"):
        ask(key=signer.key)


@pytest.mark.parametrize("kind", ["MD5Sum", "SHA1", "SHA512"])
def test_a_release_without_sha256(kind: str, signer: Signer, released: Path, ask: Callable[..., Release]) -> None:
    """A Release without SHA-256 digests is refused, whoever signed it and even if it is trusted."""
    released.write_text(released.read_text().replace("SHA256:", f"{kind}:"))
    signer.sign(released)
    for trusted in (False, True):
        with pytest.raises(ReleaseError, match="it has no SHA256 section") as caught:
            ask(key=signer.key, trusted=trusted)
        assert "made anew by a tool that writes SHA256" in str(caught.value)


def opened(release_uri: str, key: str, tmp_path: Path, fetching: Step) -> bytes:
    """Open the suite as a build does; return the content of its index."""
    asked = Repository("mine", (release_uri,), "stable", ("main",), key=key)
    tmp_path.mkdir(exist_ok=True)
    inquiry = Inquiry(Fetcher(Pool(tmp_path / "pool"), attempts=3), tmp_path, Seen(tmp_path / "seen"))
    answers = trust.ask_all((asked,), inquiry)
    (index,) = opening.open_all(answers, "amd64", inquiry, fetching).indices()
    return index.content


def test_an_index_that_is_not_signed_for(
    signer: Signer, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that the signed Release does not name, or names with another digest, is refused."""
    monkeypatch.setattr(opening, "_SYNC_WAIT_SECONDS", 0.0)
    uri = (tmp_path / "mirror").as_uri()
    text = released.read_text()
    released.write_text(text.replace("main/binary-amd64/Packages", "main/binary-arm64/Packages"))
    signer.sign(released)
    with step("Opening") as opening_, pytest.raises(ReleaseError, match="names no main/binary-amd64/Packages"):
        opened(uri, signer.key, tmp_path, opening_)
    released.write_text(text)
    signer.sign(released)
    (released.parent / "main/binary-amd64/Packages").write_text("")
    with step("Opening") as opening_:
        assert opened(uri, signer.key, tmp_path, opening_) == b""
    (released.parent / "main/binary-amd64/Packages").write_text("Package: evil\n")
    (tmp_path / "pool").rename(tmp_path / "used")
    with step("Opening") as opening_, pytest.raises(FetchError, match="it is longer than the 0 bytes"):
        opened(uri, signer.key, tmp_path, opening_)


def test_one_good_signature_of_several(
    signer: Signer, other: Callable[..., Signer], released: Path, ask: Callable[..., Release]
) -> None:
    """Of several signatures one that counts is enough, but none may be wrong."""
    owners, strangers = signer, other()
    blocks = []
    for one in (owners, strangers):
        text, begin, block = one.sign(released).read_text().partition("-----BEGIN PGP SIGNATURE-----")
        blocks.append(begin + block)
    signed = released.with_name("InRelease")
    signed.write_text(text + "".join(blocks))
    assert ask(key=signer.key).text == ask(key=strangers.key).text == released.read_text()
    wrong = strangers.sign(_changed(released)).read_text().partition("-----BEGIN PGP SIGNATURE-----")[2]
    signed.write_text(text + blocks[0] + blocks[1].partition("\n")[0] + wrong)
    with pytest.raises(Unsigned, match="a signature does not match the content"):
        ask(key=signer.key + strangers.key)


def _changed(released: Path) -> Path:
    changed = released.with_name("Changed")
    changed.write_text(released.read_text().replace("Test", "Evil"))
    return changed


BEGIN = "-----BEGIN PGP SIGNED MESSAGE-----\n"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n"
BESIDE: Mapping[str, Callable[[str], str]] = {
    "before": lambda signed: EVIL + signed,
    "before, with a blank line": lambda signed: EVIL + "\n" + signed,
    "blank line before": lambda signed: "\n" + signed,
    "after": lambda signed: signed + EVIL,
    "after, with a blank line": lambda signed: signed + "\n" + EVIL,
    "another message before": lambda signed: f"{BEGIN}\n{EVIL}{signed}",
    "another message after": lambda signed: f"{signed}{BEGIN}\n{EVIL}",
    "twice": lambda signed: signed + signed,
    "a message within": lambda signed: signed.replace(SIGNATURE, f"{BEGIN}\n{EVIL}{SIGNATURE}"),
    "a signature within": lambda signed: signed.replace("\n\n", f"\n\n{SIGNATURE}\n\n-----END PGP SIGNATURE-----\n", 1),
    "in the head": lambda signed: signed.replace("\n\n", f"\n{EVIL}\n", 1),
    "in the head, behind a blank": lambda signed: signed.replace("\n\n", f"\n \t\n{EVIL}\n\n", 1),
    "behind a digest's name": lambda signed: signed.replace("\n\n", "\nHash: SHA512\0Origin: Evil\n\n", 1),
    "an odd header": lambda signed: signed.replace("\n\n", "\nNotDashEscaped: You need GnuPG\n\n", 1),
    "no blank line": lambda signed: signed.replace("\n\n", "\n", 1),
    "between text and signature": lambda signed: signed.replace(SIGNATURE, f"{EVIL}{SIGNATURE}"),
    "in the signature": lambda signed: signed.replace("-----END", f"{EVIL}-----END"),
    "a line that is cut": lambda signed: signed.replace("Origin: Test\n", f"Origin: Test{' ' * 30000}Evil: yes\n"),
    "a NUL": lambda signed: signed.replace("Origin: Test\n", "Origin: Test\0Evil: yes\n"),
    "a carriage return": lambda signed: signed.replace("Origin: Test\n", "Origin: Test\rEvil: yes\n"),
    "a dash that is not escaped": lambda signed: signed.replace("Origin: Test\n", "Origin: Test\n-Evil: yes\n"),
    "a break in the text": lambda signed: signed.partition("SHA256")[0],
    "a break in the signature": lambda signed: signed[: signed.index(SIGNATURE) + len(SIGNATURE) + 20],
    "no signature": lambda signed: re.sub(r"(?s)(?<=\n\n)[A-Za-z0-9+/=\n]*(?=-----END)", "", signed),
    "no end": lambda signed: signed.replace("-----END PGP SIGNATURE-----", ""),
}
"""Where somebody may have put what nobody has signed."""


@pytest.mark.parametrize("how", BESIDE)
def test_nothing_is_read_that_is_not_signed(
    how: str, signer: Signer, released: Path, ask: Callable[..., Release]
) -> None:
    """A signed text with anything else before it, after it or in it is refused."""
    signed = signer.sign(released)
    assert ask(key=signer.key).origin == "Test"
    changed = BESIDE[how](signed.read_text())
    assert changed != signed.read_text()
    signed.write_text(changed)
    with pytest.raises(Unsigned):
        ask(key=signer.key)


PACKED = ("none", "zip", "zlib", "bzip2")


def test_a_message_in_the_place_of_a_signature(
    signer: Signer, released: Path, ask: Callable[..., Release], tried: Tried
) -> None:
    """A whole signed message, or a key, in the place of a signature is refused, also among signatures."""
    good = signer.detach(released)
    signature = good.read_bytes()
    packets = subprocess.run(["gpg", "--dearmor"], check=True, input=signature, stdout=subprocess.PIPE).stdout
    enclosed = [signer.enclose(released, "--compress-algo", one) for one in PACKED]
    armored = signer.enclose(released, "--armor")
    others = [*enclosed, armored, signer.sign(released).read_bytes(), signer.key.encode(), b"", b"\0", b"\x88"]
    released.with_name("InRelease").unlink()
    pairs = [(packets, one) for one in others] + [(signature, one) for one in (armored, signer.key.encode())]
    attempts = [*others, *(a + b for a, b in pairs if b), *(b + a for a, b in pairs if b)]
    assert ask(key=signer.key).origin == "Test"
    good.write_bytes(packets)
    assert ask(key=signer.key).origin == "Test"
    released.write_text(released.read_text().replace("Test", "Evil"))
    for attempt in attempts:
        good.write_bytes(attempt)
        with pytest.raises(Unsigned):
            ask(key=signer.key)
    tried(len(attempts))


def test_what_is_read_is_what_was_signed(
    signer: Signer, released: Path, ask: Callable[..., Release], tmp_path: Path, tried: Tried
) -> None:
    """What is read of a signed text is exactly what GnuPG says was signed, however its lines end and are escaped."""
    released.write_text(f"{released.read_text()}- a dash\n-- two\n----- five\nFrom here \t \n\nµ: ü\n\n\n")
    signed = signer.sign(released)
    text = signed.read_bytes()
    forms = [
        text,
        text.replace(b"\n", b"\r\n"),
        text.replace(b"\nOrigin", b"\n- Origin"),
        text.replace(b"Origin: Test", b"Origin: Test \t "),
        text.replace(b"\n\n", b"\nHash: SHA1\n\n", 1),
        text.replace(SIGNATURE.encode(), f"{SIGNATURE}Version: GnuPG v1\nComment: none\n".encode()),
        re.sub(rb"\n=[A-Za-z0-9+/]{4}\n", rb"\n", text),
        text.rstrip(b"\n"),
        text + b"\n\n",
    ]
    (tmp_path / "keys").write_text(signer.key)
    subprocess.run(["gpg", "--dearmor", "--yes", "--output", tmp_path / "keys.gpg", tmp_path / "keys"], check=True)
    for form in forms:
        signed.write_bytes(form)
        shown = output_of("gpgv", "--quiet", "--keyring", tmp_path / "keys.gpg", "--output", "-", signed)
        assert ask(key=signer.key).text == shown.replace("\r\n", "\n")
    tried(len(forms))


def test_a_flipped_bit_of_a_signed_text(
    signer: Signer, released: Path, ask: Callable[..., Release], tried: Tried
) -> None:
    """A signed text of which a bit is flipped is refused, or says the same as before."""
    signed = signer.sign(released)
    whole = signed.read_bytes()
    key = signer.key
    for place in range(0, len(whole), FLIPPED_EVERY):
        signed.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            said = ask(key=key).text
        except Unsigned:
            continue
        assert said == released.read_text()
    tried(len(range(0, len(whole), FLIPPED_EVERY)))


def damaged(signed: Path) -> None:
    signed.write_text(signed.read_text().replace("Origin: Test", "Origin: Tesd"))


def unsigned(signed: Path) -> None:
    signed.write_text("Origin: Test\n")


def empty(signed: Path) -> None:
    signed.write_text("")


@pytest.mark.parametrize("spoil", [damaged, unsigned, empty])
def test_no_downgrade(
    spoil: Callable[[Path], None], signer: Signer, released: Path, tmp_path: Path, ask: Callable[..., Release]
) -> None:
    """Where InRelease does not count, no Release beside it is asked for."""
    signer.detach(released)
    asked: list[str] = []

    class Mirror(Handler):
        def do_GET(self) -> None:
            asked.append(self.path.rpartition("/")[2])
            super().do_GET()

    with serving(functools.partial(Mirror, directory=str(tmp_path / "mirror")), host=ELSEWHERE) as url:
        assert ask(key=signer.key, uris=(url,)).origin == "Test"
        assert set(asked) == {"InRelease", "Release", "Release.gpg"}
        spoil(signer.sign(released))
        asked.clear()
        with pytest.raises(Unsigned):
            ask(key=signer.key, uris=(url,))
        assert asked == ["InRelease"]


def test_a_release_with_a_signature_beside_it(signer: Signer, released: Path, ask: Callable[..., Release]) -> None:
    """Where there is no InRelease, a Release counts with a good signature beside it, and not without."""
    with pytest.raises(Unsigned, match="its Release is not signed"):
        ask(key=signer.key)
    signature = signer.detach(released)
    assert ask(key=signer.key).text == released.read_text()
    signature.write_text(signer.detach(_changed(released)).read_text())
    with pytest.raises(Unsigned, match="does not match"):
        ask(key=signer.key)
    released.unlink()
    with pytest.raises(ReleaseError, match="no InRelease, no Release"):
        ask(key=signer.key)


def test_what_is_on_this_machine(
    signer: Signer, released: Path, ask: Callable[..., Release], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """What is on this machine may be unsigned, with a warning; not where the request says who must have signed it, nor
    with a wrong signature.
    """

    def accepted(**how: Any) -> bool:
        caplog.clear()
        try:
            ask(**how)
        except Unsigned:
            return False
        return "accepted because it is on this machine" in caplog.text

    with directory(tmp_path / "mirror") as url:
        places: list[dict[str, Any]] = [{}, {"uris": (url,)}]
        for place in places:
            assert accepted(**place)
            assert not accepted(**place, key=signer.key)
            assert not accepted(**place, fingerprint=signer.fingerprint)
        with directory(tmp_path / "mirror", host=ELSEWHERE) as other_url:
            assert not accepted(uris=(other_url,))
            assert not accepted(uris=(url, other_url))
        signer.sign(released)
        assert all(accepted(**place) for place in places), "by a key that is not known"
        released.with_name("InRelease").write_text(released.with_name("InRelease").read_text().replace("Test", "Tesd"))
        (tmp_path / "site.asc").write_text(signer.key)
        assert not any(accepted(**place, keyrings=(tmp_path / "site.asc",)) for place in places)


@pytest.mark.usefixtures("released")
def test_a_proxy_is_another_machine(ask: Callable[..., Release], tmp_path: Path) -> None:
    """What a proxy brings is not on this machine, whatever its name."""

    class Proxy(Handler):
        def translate_path(self, path: str) -> str:
            return str(tmp_path / "mirror" / path.partition("dists/")[1] / path.partition("dists/")[2])

    local = ("http://127.0.0.1:9",)
    with serving(Proxy) as proxy:
        with pytest.raises(Unsigned, match="its Release is not signed"):
            ask(Proxies((("http", proxy),)), uris=local)
        with pytest.raises(FetchError, match=r"127\.0\.0\.1:9"):
            ask(Proxies((("http", proxy),), ("127.0.0.1",)), uris=local)
        assert ask(Proxies((("http", proxy),)), uris=local, trusted=True).origin == "Test"


def test_a_flat_repository_without_a_release(signer: Signer, tmp_path: Path) -> None:
    """A flat repository on this machine needs no Release, but where the request says who must have signed it."""
    inquiry = Inquiry(Fetcher(Pool(tmp_path / "pool"), attempts=2), tmp_path, Seen(tmp_path / "seen"))
    flat = Repository("mine", (repository.flat(tmp_path),), "./", ())
    (answer,) = trust.ask_all((flat,), inquiry)
    assert answer.release is None and "accepted unverified" in answer.warning
    by_key, by_fingerprint = replace(flat, key=signer.key), replace(flat, fingerprint=signer.fingerprint)
    for proven in (by_key, by_fingerprint):
        with pytest.raises(ReleaseError, match="no InRelease, no Release"):
            trust.ask_all((proven,), inquiry)


def test_trusted(
    other: Callable[..., Signer], released: Path, ask: Callable[..., Release], caplog: pytest.LogCaptureFixture
) -> None:
    """What the request trusts is accepted whatever its signature, with a warning that says what is wrong with it."""
    key = revoked(released, other).key
    assert ask(key=key, trusted=True).origin == "Test"
    assert "the key that signed it was revoked; accepted because it is trusted" in caplog.text
    damaged(released.with_name("InRelease"))
    assert ask(key=key, trusted=True).origin == "Tesd"
    assert "a signature does not match the content; accepted because it is trusted" in caplog.text
    released.with_name("InRelease").unlink()
    assert ask(key=key, trusted=True).origin == "Test"
    assert "its Release is not signed; accepted because it is trusted" in caplog.text


PLANT = """
mount -t tmpfs tmpfs /mnt
for directory in /etc/apt /usr/share/keyrings ~root; do
    mkdir -p /mnt$directory/upper /mnt$directory/work
    test -d $directory || continue
    mount -t overlay overlay -o lowerdir=$directory,upperdir=/mnt$directory/upper,workdir=/mnt$directory/work $directory
    mkdir -p -m 700 $directory/trusted.gpg.d $directory/.gnupg
    cp "$0" $directory/mine.gpg
    for name in pubring.kbx trustedkeys.kbx trustedkeys.gpg pubring.gpg; do cp "$0" $directory/.gnupg/$name; done
    cp "$0" $directory/trusted.gpg
    cp "$0" $directory/trusted.gpg.d/mine.gpg
done
exec "$@"
"""
"""Put a key where apt and GnuPG look for keys, in a mount namespace."""


def test_the_keys_of_this_host_do_not_count(fuel: Fuel, signer: Signer, released: Path, tmp_path: Path) -> None:
    """The keyrings of the host, its apt's and its root's, count for nothing; keys count that the request names, that
    come with the program or that the site's configuration names.
    """
    signer.sign(released)
    (tmp_path / "key.asc").write_text(signer.key)
    subprocess.run(["gpg", "--dearmor", "--output", tmp_path / "key.gpg", tmp_path / "key.asc"], check=True)
    for place in ("site.asc", "site.gpg"):
        (tmp_path / place).write_bytes((tmp_path / place.replace("site", "key")).read_bytes())
        (tmp_path / f"{place}.yaml").write_text(f"keyrings: [{tmp_path}/{place}]\n")
    planted = ("unshare", "--mount", "sh", "-ec", PLANT, str(tmp_path / "key.gpg"))
    environment = {**os.environ, "GNUPGHOME": "/usr/share/keyrings/.gnupg"}
    subprocess.run([*planted, "gpgv", "--quiet", released.with_name("InRelease")], check=True, env=environment)
    with directory(tmp_path / "mirror", host=ELSEWHERE) as url:
        request = request_of(tmp_path, uri=url)
        ended = fuel(request, program=(*planted, *PROGRAM), env=environment, expect=1)
        assert "which is not among the keys that count for it" in ended.stderr
        for place in ("site.asc", "site.gpg"):
            counts = fuel(request, "--config", str(tmp_path / f"{place}.yaml"), expect=1)
            assert "no repository holds apt" in counts.stderr, "nothing but the packages is missing"
        other_key = {"key": (SHIPPED_KEYS / "debian-archive.asc").read_text()}
        ended = fuel(request_of(tmp_path, uri=url, **other_key), "--config", str(tmp_path / "site.asc.yaml"), expect=1)
        assert "which is not among the keys that count for it" in ended.stderr, "the site's, where the request has one"


def test_by_hash(signer: Signer, tmp_path: Path) -> None:
    """An index is fetched by its digest where the Release offers that, and by its name where there is no such file, or
    a wrong one.
    """
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    signer.sign(repository.release(mirror, "stable", fields="Acquire-By-Hash: yes\n"))
    place = mirror / "dists/stable/main/binary-amd64"
    asked: list[str] = []

    class Mirror(Handler):
        def do_GET(self) -> None:
            asked.append(self.path.rpartition("/binary-amd64/")[2])
            super().do_GET()

    by_hash = f"by-hash/SHA256/{hashlib.sha256((place / 'Packages').read_bytes()).hexdigest()}"
    (place / by_hash).parent.mkdir(parents=True)
    (place / by_hash).write_bytes((place / "Packages").read_bytes())
    expected = {"there": [by_hash], "missing": [by_hash, "Packages"], "wrong": [by_hash, "Packages"]}
    for state, paths in expected.items():
        if state == "missing":
            (place / by_hash).unlink()
        if state == "wrong":
            (place / by_hash).write_text("Package: evil\n")
        asked.clear()
        handler = functools.partial(Mirror, directory=str(mirror))
        with serving(handler, host=ELSEWHERE) as url, step("Opening") as fetching:
            assert opened(url, signer.key, tmp_path / state, fetching) == (place / "Packages").read_bytes()
        assert asked[1:] == paths, state
