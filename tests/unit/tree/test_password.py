"""SHA-512 crypt: the vectors were made by OpenSSL (``openssl passwd -6``), the first is the specification's."""

from __future__ import annotations

import pytest

from fuel_image.tree.password import salt_from, sha512_crypt


@pytest.mark.parametrize(
    ("password", "salt", "hashed"),
    [
        (
            "Hello world!",
            "saltstring",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "r00tme",
            "0123456789abcdefIGNORED",
            "$6$0123456789abcdef$pj1jhzgz85nOim0sQ9rzNgs2KTzELREvybe2Su2KPTNhJXO/Z30SVEGL5jCOCLHTpbLoGYNzyikANQdNCAVvz.",
        ),
    ],
)
def test_vectors(password: str, salt: str, hashed: str) -> None:
    assert sha512_crypt(password, salt) == hashed


def test_the_salt_depends_on_its_seed_alone() -> None:
    assert salt_from("a") == salt_from("a") != salt_from("b")
    assert len(salt_from("a")) == 16
