"""The site's settings: defaults, the file, the options, and everything that is wrong, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fuel_image import cli, settings
from fuel_image.document import SETTINGS, schema
from fuel_image.errors import SettingsError
from fuel_image.request import Proxies, parse
from fuel_image.settings import Settings

from .test_request import changed


def read(tmp_path: Path, text: str, **options: Any) -> Settings:
    file = tmp_path / "fuel-image.yaml"
    file.write_text(text)
    return settings.typed(settings.effective(file, options))


def test_every_setting_has_a_meaning_and_a_default(tmp_path: Path) -> None:
    rules = schema(SETTINGS)["properties"]
    assert all(rule["description"] and "default" in rule for rule in rules.values())
    found = read(tmp_path, "")
    assert found.work_dir == Path("/var/lib/fuel-image")
    assert (found.layers_limit_bytes, found.packages_limit_bytes) == (20 << 30, 10 << 30)
    assert (found.connections, found.cpus, found.bandwidth_limit_bytes, found.log_file) == (8, None, None, None)
    assert found.proxies == Proxies()


def test_what_the_file_says_and_what_an_option_says(tmp_path: Path) -> None:
    text = """
    work_dir: /srv/work
    cache_dir: /srv/cache
    layers_limit: 1.5GiB
    packages_limit: 1000
    bandwidth_limit: 2MiB
    cpus: 1
    keyrings: [/etc/keys/site.asc]
    proxies: {protocols: {http: 'http://proxy.example.org:3128'}, direct_repo_addr_list: [10.20.0.2]}
    hooks: {published: [/usr/local/bin/tell]}
    redirects: [scheme]
    """
    found = read(tmp_path, text, cache_dir="mine", log_file=None)
    assert found.work_dir == Path("/srv/work")
    assert found.cache_dir == Path.cwd() / "mine"
    assert (found.layers_limit_bytes, found.packages_limit_bytes) == (3 << 29, 1000)
    assert (found.bandwidth_limit_bytes, found.cpus) == (2 << 20, 1)
    assert found.keyrings == (Path("/etc/keys/site.asc"),)
    assert found.proxies == Proxies((("http", "http://proxy.example.org:3128"),), ("10.20.0.2",))
    assert found.redirects == ("scheme",)
    assert found.hooks == {"published": ("/usr/local/bin/tell",)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worc_dir: /srv", ["$.worc_dir: unknown key; did you mean work_dir?"]),
        ("work_dir: srv", ['$.work_dir: "srv" does not have the form ^/']),
        ("layers_limit: 20 giga", ['$.layers_limit: must be a size: bytes, or such as 20GiB, not "20 giga"']),
        ("bandwidth_limit: 1KiB", ["$.bandwidth_limit: must be a size of at least 65536 bytes"]),
        ("connections: 0\ncpus: none", ["$.connections: 0 is out of range", "$.cpus: must be an integer or null"]),
        ("proxies: {protocols: {http: proxy}}", ["$.proxies.protocols.http: is not a URL"]),
        ("log_file: '/var/log/{env}.log'", ["$.log_file: {env} means nothing here; {name} and {cluster} do"]),
        ("hooks: {publish: [/bin/true]}", ["$.hooks.publish: unknown key; did you mean published?"]),
        ("redirects: [https]", ['$.redirects[0]: "https" is not one of scheme, loopback']),
        ("[]", ["$: must be an object, not []"]),
        ("a: [", ["$: not YAML: "]),
        ("work_dir: !!python/object/apply:os.getcwd []", ["$: not YAML: "]),
    ],
)
def test_what_is_wrong_is_said_all_at_once(text: str, said: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"the configuration {tmp_path}/fuel-image.yaml has ")
    for line in said:
        assert line in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        settings.effective(tmp_path / "absent", {})
    monkeypatch.setattr(settings, "FILE", tmp_path / "absent")
    assert settings.effective(None, {})["cpus"] == settings.Setting(None, "default")


@pytest.mark.parametrize(
    ("pattern", "root", "path"),
    [
        ("/var/log/fuel-agent-env-{cluster}.log", "env_4_ubuntu_1204_amd64.img.gz", "/var/log/fuel-agent-env-4.log"),
        ("/var/log/fuel-agent-env-{cluster}.log", "node.img.gz", "/var/log/fuel-agent-env-node.log"),
        ("/var/log/{name}.log", "env_4_ubuntu_12.04.img.gz", "/var/log/env_4_ubuntu_12.log"),
        ("/var/log/all.log", "node.img.gz", "/var/log/all.log"),
    ],
)
def test_the_log_file_of_a_request(pattern: str, root: str, path: str) -> None:
    images = {"/": {"uri": f"http://127.0.0.1/{root}", "format": "ext4", "container": "gzip"}}
    request = parse(changed(image_data=images))
    assert settings.log_path(pattern, request) == Path(path)
    assert settings.log_path(pattern, None) == (None if "{" in pattern else Path(path))


def test_config_prints_a_configuration_that_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("cpus: 2\nproxies: {protocols: {http: 'http://user:s3cret@proxy.example.org'}}\n")
    assert cli.main(["config", "--config", str(file), "--work-dir", "/srv/work"]) == 0
    printed = capsys.readouterr().out
    assert f"cpus: 2  # from: {file}" in printed
    assert "work_dir: /srv/work  # from: --work-dir" in printed
    assert "connections: 8  # from: default" in printed
    assert "s3cret" not in printed
    assert yaml.safe_load(printed).keys() == schema(SETTINGS)["properties"].keys()


def test_a_bad_configuration_ends_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.yaml").write_text("cpus: 0\n")
    assert cli.main(["config", "--config", str(tmp_path / "site.yaml")]) == 3
    assert "$.cpus: 0 is out of range" in capsys.readouterr().err
