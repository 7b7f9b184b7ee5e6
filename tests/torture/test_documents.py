"""Bad input. Requests, configurations, records and what a build keeps, with damage of every kind."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from fuel_image import compare, kept, plan, published, record, request, sample, settings, suites, verify
from fuel_image.archive.choices import Choices
from fuel_image.metadata import sealed
from fuel_image.progress import Step
from fuel_image.tree.layers import Store
from tests.unit.archive.test_choices import QUESTION, packages
from tests.unit.test_record import FUEL_AGENT, OURS
from tests.unit.test_request import SEED
from tests.unit.test_verify import CONTENT, PACK, image

from .conftest import Tried
from .examples import EXAMPLES, many
from .harmless import harmless
from .nearly import nearly, nearly_document, nearly_text

pytestmark = pytest.mark.examples

REQUEST: dict[str, Any] = {
    **json.loads(SEED),
    "packages": ["acl", "vim:amd64", "hello=2.10-3", "ntp/noble"],
    "arch": "arm64",
    "hashed_root_password": "$6$salt$hash",
    "proxies": {"protocols": {"http": "http://proxy.example.org:3128"}, "direct_repo_addr_list": ["10.20.0.2"]},
    "source_date_epoch": 1700000000,
}
REQUEST["image_data"]["/"].update({"label": "root", "reserve": "5%"})
REQUEST["repos"].append(
    {
        "name": "flat",
        "uri": "https://u:p@mirror.example.org/x",
        "uris": ["file:///srv"],
        "suite": "/",
        "trusted": True,
        "key": "https://mirror.example.org/key.asc",
        "fingerprint": "A" * 40,
        "priority": None,
    }
)
SETTINGS = """\
work_dir: /srv/work
cache_dir: /srv/cache
layers_limit: 1.5GiB
packages_limit: 1000
bandwidth_limit: 2MiB
cpus: 1
connections: 4
log_file: /var/log/{cluster}/{name}.log
keyrings: [/etc/keys/site.asc]
proxies: {protocols: {http: 'http://proxy.example.org:3128'}, direct_repo_addr_list: [10.20.0.2]}
hooks: {published: [/usr/local/bin/tell], failed: []}
"""
RECORD = sealed(yaml.safe_dump(OURS))
YAML = [
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "? ",
    "- ",
    ": ",
    "[",
    "{",
    "0x",
    "1:1:1",
    ".inf",
    "2001-01-01",
    "\n...\n",
    "|\n  ",
]
JSON = ['"', "\\u0000", "\\ud800", "[" * 40, "{", "}", "]", '"a":', '{"packages":', "NaN", "1e999", "-"]
BOMB = "a: &a [x]\n" + "".join(
    f"{after}: &{after} [{f'*{name},' * 9}]\n" for name, after in zip("abcdefghi", "bcdefghij")
)


def _understood(text: str, *, strict: bool) -> None:
    with harmless():
        found = request.parse(text, strict=strict, environment={})
        plan.described(plan.make(found))
        settings.log_path("/{cluster}/{name}", found)


@many
@given(st.one_of(nearly_text(json.dumps(REQUEST), odd=JSON), nearly_document(REQUEST).map(json.dumps)), st.booleans())
@example(json.dumps(REQUEST).replace("1700000000", "1e999"), False)
@example(json.dumps(REQUEST).replace("1700000000", "9" * 400), False)
@example("[" * 100_000, False)
def _request(text: str, strict: bool) -> None:
    _understood(text, strict=strict)


def test_requests(tried: Tried) -> None:
    """A request is understood or refused, whatever is in it."""
    _request()
    tried(EXAMPLES)


@many
@given(st.text(max_size=20))
def _epoch(text: str) -> None:
    with harmless():
        request.parse(SEED, environment={"SOURCE_DATE_EPOCH": text})


def test_the_environment(tried: Tried) -> None:
    """What the environment says of time is understood or refused, whatever it is."""
    _epoch()
    tried(EXAMPLES)


def test_settings(tried: Tried, tmp_path: Path) -> None:
    """The configuration of a site is understood or refused, whatever is in it."""
    file = tmp_path / "fuel-image.yaml"
    documents = nearly_document(yaml.safe_load(SETTINGS)).map(lambda one: json.dumps(one).encode())

    @many
    @given(st.one_of(nearly(SETTINGS.encode(), odd=[word.encode() for word in YAML]), documents))
    @example(BOMB.encode())
    @example(b"cpus: 2001-01-01")
    @example(b"1: 2")
    def every(content: bytes) -> None:
        file.write_bytes(content)
        with harmless():
            found = settings.typed(settings.effective(file, {}))
            assert isinstance(found.connections, int)

    every()
    tried(EXAMPLES)


records = st.one_of(
    nearly_text(RECORD, FUEL_AGENT, odd=YAML),
    nearly_text(yaml.safe_dump(OURS), odd=YAML).map(lambda one: sealed(f"{one}\n")),
    nearly_document(OURS).map(lambda one: sealed(f"{json.dumps(one)}\n")),
)


@many
@given(records)
@example(FUEL_AGENT.replace("major: 14", "major: .inf"))
@example(FUEL_AGENT.replace("[acl, vim]", "[*j]") + BOMB)
@example(FUEL_AGENT.replace("acl", "\N{SYMBOL FOR ESCAPE}").replace("\N{SYMBOL FOR ESCAPE}", '"\\e[2J"'))
@example("[" * 100_000)
def _record(text: str) -> None:
    with harmless():
        found = record.parse(text)
        assert all(one.isprintable() for one in found.wishes)
        for line in compare.differences(found, record.parse(RECORD)):
            assert line.isprintable()
        compare.differences(record.parse(RECORD), found)
        published.unfit(found, request.parse(SEED, environment={}))


def test_records(tried: Tried) -> None:
    """The record of a published set, from whatever server, is understood or refused, whatever is in it."""
    _record()
    tried(EXAMPLES)


def test_what_is_published(tried: Tried, tmp_path: Path) -> None:
    """What lies where a build publishes is a reason to build, whatever it is."""
    wanted = request.parse(json.dumps({**json.loads(SEED), "output": str(tmp_path)}), environment={})

    @many
    @given(nearly(RECORD.encode(), FUEL_AGENT.encode(), b"", odd=[word.encode() for word in YAML]))
    def every(content: bytes) -> None:
        wanted.metadata_path.write_bytes(content)
        with harmless():
            assert published.examine(wanted, threading.Event()).record is None

    every()
    tried(EXAMPLES)


@many
@given(st.sampled_from(sorted(PACK)), st.data())
def _container(container: str, data: st.DataObject) -> None:
    content = data.draw(nearly(PACKED[container], PACKED[container] * 2))
    described = {**image("x", container, PACKED[container]), "raw_size": 12}
    (expected,) = record.parse(yaml.safe_dump({**yaml.safe_load(FUEL_AGENT), "images": [described]})).images
    with harmless():
        problems = list(
            verify._differences(expected, verify._Summed(iter([content]), Step("verifying"), threading.Event()))
        )
        assert problems  # for the size of what is in it is wrong even without damage


PACKED = {name: pack(CONTENT[:1000]) for name, pack in PACK.items()}


def test_containers(tried: Tried) -> None:
    """A published image is checked to its end, whatever is in it."""
    _container()
    tried(EXAMPLES)


def test_choices(tried: Tried, tmp_path: Path) -> None:
    """A choice of packages that was kept and is damaged is never believed."""
    answer = packages("one", "two")
    Choices(tmp_path).recalled(QUESTION, lambda: answer)
    (path,) = tmp_path.iterdir()
    entry = path.read_bytes()

    @many
    @given(nearly(entry, b"[{}]", b"[" * 100_000, odd=[word.encode() for word in JSON]))
    def every(content: bytes) -> None:
        path.write_bytes(content)
        assert Choices(tmp_path).recalled(QUESTION, lambda: answer) == answer

    every()
    tried(EXAMPLES)


def test_layers(tried: Tried, tmp_path: Path) -> None:
    """The record of a layer that was kept and is damaged is never believed."""
    facts = {"name": "The base", "below": None, "inputs": {"packages": ["a"]}, "size_bytes": 7, "record": {}}
    (tmp_path / "0123").mkdir()
    entry = kept.written(facts)

    @many
    @given(nearly(entry, b"7", b"[]", b"[" * 100_000, odd=[word.encode() for word in JSON]))
    def every(content: bytes) -> None:
        (tmp_path / "0123/record.json").write_bytes(content)
        with harmless():
            found = list(Store(tmp_path).kept())
        assert len(found) == (content == entry)

    every()
    tried(EXAMPLES)


def test_sources(tried: Tried, tmp_path: Path) -> None:
    """A sample is made from the sources of a host's apt, whatever is in them."""
    lines = "deb [arch=amd64 signed-by=/a.gpg] http://mirror.example.org/debian bookworm main contrib # x\n"
    stanzas = (
        "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
    )
    for name in ("sources.list", "sources.list.d/debian.sources"):
        (tmp_path / "etc/apt" / name).parent.mkdir(parents=True, exist_ok=True)

    @many
    @given(nearly(lines.encode(), odd=[b"[", b"]", b"deb "]), nearly(stanzas.encode(), odd=[b"\n ", b"\n\n", b"#"]))
    def every(list_: bytes, sources: bytes) -> None:
        (tmp_path / "etc/apt/sources.list").write_bytes(list_)
        (tmp_path / "etc/apt/sources.list.d/debian.sources").write_bytes(sources)
        with harmless():
            json.loads(sample.sample(None, "/srv", tmp_path))

    every()
    tried(EXAMPLES)


@many
@given(nearly_text("22.04", "12.5", "24.04.1 LTS"), nearly_text("noble", "bookworm"))
def _suite(version: str, codename: str) -> None:
    with harmless():
        found = suites.suite_named(codename, "Debian", version)
        assert 0 <= found.major < 10_000 and 0 <= found.minor < 10_000


def test_suites(tried: Tried) -> None:
    """What a repository says of its version gives a release, whatever it is."""
    _suite()
    tried(EXAMPLES)
