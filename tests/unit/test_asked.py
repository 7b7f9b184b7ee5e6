"""What a request leaves to the site comes from the site, and makes no other request of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from fuel_image import log
from fuel_image.commands import asked
from fuel_image.plan import Plan
from fuel_image.request import Proxies, parse

from .test_request import SEED, changed

SITE = """
keyrings: [/etc/keys/site.asc]
proxies: {protocols: {http: 'http://site.example.org:3128'}}
"""


def understood(tmp_path: Path, text: str) -> Plan:
    (tmp_path / "site.yaml").write_text(SITE)
    parser = argparse.ArgumentParser()
    asked.add_arguments(parser)
    log.set_up()
    planned, _ = asked.understood(parser.parse_args(["--config", f"{tmp_path}/site.yaml", text]), building=False)
    return planned


def test_proxies_and_keys_of_the_site(tmp_path: Path) -> None:
    request = understood(tmp_path, SEED).request
    assert request.proxies == Proxies((("http", "http://site.example.org:3128"),))
    assert {one.keyrings for one in request.repositories} == {(Path("/etc/keys/site.asc"),)}
    assert request.digest == parse(SEED).digest


def test_a_request_s_own_proxies_win(tmp_path: Path) -> None:
    own = {"protocols": {"http": "http://own.example.org:3128"}}
    assert understood(tmp_path, changed(proxies=own)).request.proxies.by_scheme == (
        ("http", "http://own.example.org:3128"),
    )
