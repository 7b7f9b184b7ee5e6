"""What a request may say, and what is said of one that may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fuel_image.errors import RequestError
from fuel_image.request import Proxies, Repository, parse
from fuel_image.sizes import Reserve

AT_SIGN = "has an @ behind the host: write %40, and in a password %2F, %3F and %23 for /, ? and #"
SEED = """
{
   "image_data": {
       "/boot": {
           "container": "gzip",
           "uri": "http://127.0.0.1:8080/targetimages/env_4_ubuntu_1204_amd64-boot.img.gz",
           "format": "ext2"
       },
       "/": {
           "container": "gzip",
           "uri": "http://127.0.0.1:8080/targetimages/env_4_ubuntu_1204_amd64.img.gz",
           "format": "ext4"
       }
   },
   "output": "/var/www/nailgun/targetimages",
   "repos": [
       {
           "name": "MOS",
           "section": "main",
           "uri": "http://127.0.0.1:8080/2014.2-6.1/ubuntu/x86_64",
           "priority": 1001,
           "suite": "precise",
           "type": "deb"
       }
   ],
   "codename": "precise"
}
"""


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(SEED), **changes})


def image(**changes: Any) -> str:
    whole = json.loads(SEED)
    whole["image_data"]["/"].update(changes)
    return json.dumps(whole)


def repo(**changes: Any) -> str:
    whole = json.loads(SEED)
    whole["repos"][0].update(changes)
    return json.dumps({**whole, "repos": [{k: v for k, v in whole["repos"][0].items() if v is not ...}]})


def problems(text: str, **options: Any) -> list[str]:
    with pytest.raises(RequestError) as caught:
        parse(text, environment={}, **options)
    return [str(problem) for problem in caught.value.problems]


def test_the_seed_s_own_example() -> None:
    request = parse(SEED, environment={})
    assert [(one.mount, one.filename, one.format, one.container) for one in request.images] == [
        ("/", "env_4_ubuntu_1204_amd64.img.gz", "ext4", "gzip"),
        ("/boot", "env_4_ubuntu_1204_amd64-boot.img.gz", "ext2", "gzip"),
    ]
    uri = "http://127.0.0.1:8080/2014.2-6.1/ubuntu/x86_64"
    assert request.repositories == (Repository("MOS", (uri,), "precise", ("main",), 1001),)
    assert request.output == Path("/var/www/nailgun/targetimages")
    assert request.codename == "precise"
    assert request.metadata_filename == "env_4_ubuntu_1204_amd64.yaml"
    assert request.packages is None
    assert (request.root_password, request.hashed_root_password) == (None, None)
    assert request.arch == "amd64"


def test_the_metadata_s_name_ends_at_the_first_dot_as_consumers_have_it() -> None:
    assert (
        parse(image(uri="http://10.0.0.1:8080/ubuntu_14.04.img.gz"), environment={}).metadata_filename
        == "ubuntu_14.yaml"
    )


def test_an_empty_list_of_packages_is_not_the_default_set() -> None:
    assert parse(changed(packages=[]), environment={}).packages == ()


def test_mirrors_and_components() -> None:
    text = repo(uri="http://a.example.org/ubuntu/", uris=["http://b.example.org:81/u"], section=" main  universe ")
    only = parse(text, environment={}).repositories[0]
    assert only.uris == ("http://a.example.org/ubuntu", "http://b.example.org:81/u")
    assert only.components == ("main", "universe")


def test_a_flat_repository() -> None:
    assert parse(repo(suite="/", section=""), environment={}).repositories[0].components == ()


def test_proxies() -> None:
    text = changed(proxies={"protocols": {"http": "http://p.example.org:3128"}, "direct_repo_addr_list": ["10.0.0.1"]})
    assert parse(text, environment={}).proxies == Proxies((("http", "http://p.example.org:3128"),), ("10.0.0.1",))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (0, Reserve(0)),
        ("10MiB", Reserve(10 << 20)),
        ("1.5 GiB", Reserve(3 << 29)),
        ("5%", Reserve(0, 0.05)),
    ],
)
def test_reserve(written: object, wanted: Reserve) -> None:
    assert parse(image(reserve=written), environment={}).images[0].reserve == wanted


def test_the_epoch_comes_from_the_request_then_from_the_environment() -> None:
    assert parse(SEED, environment={"SOURCE_DATE_EPOCH": "5"}).source_date_epoch == 5
    assert parse(changed(source_date_epoch=7), environment={"SOURCE_DATE_EPOCH": "5"}).source_date_epoch == 7
    with pytest.raises(RequestError, match="SOURCE_DATE_EPOCH"):
        parse(SEED, environment={"SOURCE_DATE_EPOCH": "soon"})


def test_the_digest_tells_requests_apart_but_no_credentials() -> None:
    plain = parse(SEED, environment={}).digest
    assert parse(json.dumps(json.loads(SEED)), environment={}).digest == plain
    assert (
        parse(changed(root_password="a"), environment={}).digest
        != parse(changed(root_password="b"), environment={}).digest
    )
    named = parse(repo(uri="http://u:secret@h.example.org/u"), environment={}).digest
    assert named == parse(repo(uri="http://u:other@h.example.org/u"), environment={}).digest


SAME = [
    changed(nodes=[{"uid": 7}], cluster={"id": 4}),
    changed(arch="amd64", proxies={"protocols": {"http": "http://p.example.org"}}),
    changed(output="/srv/elsewhere"),
    image(uri="http://192.0.2.1/env_4_ubuntu_1204_amd64.img.gz", reserve="64MiB"),
    repo(uri="http://127.0.0.1:8080/2014.2-6.1/ubuntu/x86_64/", priority=1001.0, trusted=False),
]
OTHER = [
    changed(codename="trusty"),
    changed(arch="arm64"),
    changed(packages=[]),
    changed(hashed_root_password="!"),
    changed(source_date_epoch=1),
    image(format="ext3"),
    image(container="xz"),
    image(label="root"),
    image(reserve="65MiB"),
    image(uri="http://127.0.0.1:8080/targetimages/other.img.gz"),
    repo(priority=None),
    repo(priority=1000),
    repo(section="main extra"),
    repo(suite="precise-updates"),
    repo(name="other"),
    repo(uri="http://127.0.0.1:8081/2014.2-6.1/ubuntu/x86_64"),
]


@pytest.mark.parametrize("text", SAME)
def test_what_changes_no_image_changes_no_digest(text: str) -> None:
    assert parse(text, environment={}).digest == parse(SEED, environment={}).digest


@pytest.mark.parametrize("text", OTHER)
def test_what_changes_an_image_changes_the_digest(text: str) -> None:
    assert parse(text, environment={}).digest != parse(SEED, environment={}).digest


def test_the_environment_s_epoch_is_part_of_the_digest() -> None:
    inherited = parse(SEED, environment={"SOURCE_DATE_EPOCH": "1"}).digest
    assert inherited == parse(changed(source_date_epoch=1), environment={}).digest


def test_no_redaction_hides_what_follows_a_url() -> None:
    """A host name without a path after it, and an @ in the next value."""
    one, other = (repo(uri=f"http://{host}.example.org", key="armored@") for host in "ab")
    assert parse(one, environment={}).digest != parse(other, environment={}).digest


def test_nothing_secret_is_shown_by_repr() -> None:
    text = changed(root_password="s3cret", proxies={"protocols": {"http": "http://u:s3cret@p.example.org"}})
    assert "s3cret" not in repr(parse(text, environment={}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "$: not JSON: Expecting property name enclosed in double quotes at line 1 column 2"),
        ('{\n "a": 1,\n}', "$: not JSON: Expecting property name enclosed in double quotes at line 3 column 1"),
        ("[" * 100_000, "$: not JSON: nested too deeply"),
        ('{"a": NaN}', "$: not JSON: NaN is not JSON"),
        ("[]", "$: must be an object, not []"),
        ("null", "$: must be an object, not null"),
    ],
)
def test_what_is_no_json_object(text: str, problem: str) -> None:
    found = problems(text)
    # CPython words the trailing comma differently from 3.13 on.
    assert found[0] == problem or "trailing comma" in found[0]


BAD = [
    (image(label="\ud800"), '$.image_data["/"].label: holds a control character or half of a surrogate pair'),
    (changed(output="/a\0b"), "$.output: holds a control character or half of a surrogate pair"),
    (changed(codename="noble\n"), "$.codename: holds a control character or half of a surrogate pair"),
    (changed(root_password=""), "$.root_password: must not be empty; without one, root is locked"),
    (changed(root_password=123456), "$.root_password: must be a string or null, not what was given"),
    (image(uri="http://h/" + "x" * 300), '$.image_data["/"].uri: the last part of the URI\'s path must name a file'),
    (repo(uri="http://h/u?query"), "$.repos[0].uri: must be an http, https or file URI"),
    ("{}", "$: 'codename' is missing"),
    (image(format="zfs"), '$.image_data["/"].format: "zfs" is not one of ext2, ext3, ext4, xfs, btrfs'),
    (image(container="zip"), '$.image_data["/"].container: "zip" is not one of gzip, raw, zstd, xz'),
    (image(uri="http://h/"), '$.image_data["/"].uri: the last part of the URI\'s path must name a file'),
    (image(uri="http://h/a/../.hidden"), '$.image_data["/"].uri: the last part of the URI\'s path must name a file'),
    (image(label="seventeen letters"), '$.image_data["/"].label: too long for ext4, which takes 16 bytes'),
    (image(reserve="lots"), '$.image_data["/"].reserve: "lots" is no size (bytes, or such as 64MiB or 5%)'),
    (changed(arch="vax"), '$.arch: "vax" is not one of amd64, i386, arm64, armhf, ppc64el, s390x, riscv64'),
    (changed(repos=[]), "$.repos: must not be empty"),
    (changed(codename="No ble"), '$.codename: "No ble" does not have the form ^[a-z][a-z0-9.-]*$'),
    (changed(packages=["--purge"]), '$.packages[0]: "--purge" is not a package name'),
    (changed(packages="vim"), '$.packages: must be an array, not "vim"'),
    (
        changed(hashed_root_password="plain text"),
        "$.hashed_root_password: is not what crypt(3) makes (such as $6$salt$hash)",
    ),
    (
        changed(root_password="a", hashed_root_password="$6$a$b"),
        "$.hashed_root_password: give this or root_password, not both",
    ),
    (
        changed(proxies={"protocols": {"http": "proxy"}}),
        "$.proxies.protocols.http: is not a URL such as http://proxy.example.org:3128",
    ),
    (repo(type="rpm"), '$.repos[0].type: "rpm" is not one of deb'),
    (repo(uri="gopher://h/u"), "$.repos[0].uri: must be an http, https or file URI"),
    (repo(uri="http://h:port/u"), "$.repos[0].uri: must be an http, https or file URI"),
    (repo(uri="http://user:12/34@h/u"), f"$.repos[0].uri: {AT_SIGN}"),
    (
        changed(proxies={"protocols": {"http": "http://user:12#34@proxy.example.org"}}),
        f"$.proxies.protocols.http: {AT_SIGN}",
    ),
    (repo(section=""), "$.repos[0].section: names no component; a flat repository has a suite that ends with /"),
    (repo(suite="flat/"), "$.repos[0].section: must be empty for a flat repository (a suite that ends with /)"),
    (repo(suite="../../etc"), "$.repos[0].suite: holds characters that no repository has"),
    (repo(priority=0), "$.repos[0].priority: must be between -32767 and 32767 and not 0 (apt_preferences(5))"),
    (repo(priority="high"), '$.repos[0].priority: must be an integer or null, not "high"'),
    (repo(key="http://h/key.asc"), "$.repos[0].key: a key is fetched over https only"),
    (repo(key="https://h/key.asc"), "$.repos[0].fingerprint: is required with a key that is fetched from a URL"),
    (repo(uri=...), "$.repos[0]: 'uri' is missing"),
]


@pytest.mark.parametrize(("text", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_bad_values(text: str, problem: str) -> None:
    assert problem in problems(text)


def test_mount_points() -> None:
    whole = json.loads(SEED)
    boot = whole["image_data"].pop("/boot")
    for mount in ("boot", "/boot/", "/a/../boot", "//boot"):
        whole["image_data"] = {"/": whole["image_data"]["/"], mount: boot}
        assert any("mount point" in problem for problem in problems(json.dumps(whole))), mount


def test_the_root_image_is_required() -> None:
    whole = json.loads(SEED)
    del whole["image_data"]["/"]
    assert problems(json.dumps(whole)) == [
        "$.image_data: no image for /; the root image is required and names the metadata file"
    ]


def test_two_images_may_not_share_a_file_nor_take_the_metadata_s_name() -> None:
    whole = json.loads(SEED)
    whole["image_data"]["/boot"]["uri"] = "http://elsewhere/env_4_ubuntu_1204_amd64.img.gz?x=1"
    assert "is also the file of /" in problems(json.dumps(whole))[0]
    whole["image_data"]["/boot"]["uri"] = "http://elsewhere/env_4_ubuntu_1204_amd64.yaml"
    assert "is also the file of" in problems(json.dumps(whole))[0]


def test_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert problems(changed(output=str(tmp_path / "file"))) == [
        f"$.output: {tmp_path}/file exists and is not a directory"
    ]


def test_repeated_keys_are_found_at_any_depth() -> None:
    text = SEED.replace('"suite": "precise",', '"suite": "precise", "suite": "trusty",')
    assert problems(text) == ["$.repos[0].suite: given more than once"]


def test_all_problems_are_reported_at_once() -> None:
    whole = json.loads(SEED)
    whole["image_data"]["/"]["format"] = "zfs"
    whole["repos"][0]["type"] = "rpm"
    whole["arch"] = "vax"
    assert len(problems(json.dumps(whole))) == 3


def test_unknown_keys_are_logged_and_with_strict_are_problems(caplog: pytest.LogCaptureFixture) -> None:
    text = changed(package=["vim"], cluster={"id": 4})
    with caplog.at_level("INFO"):
        parse(text, environment={})
    assert "ignoring $.package: unknown key; did you mean packages?" in caplog.text
    assert problems(text, strict=True) == [
        "$.package: unknown key; did you mean packages?",
        "$.cluster: unknown key",
    ]
