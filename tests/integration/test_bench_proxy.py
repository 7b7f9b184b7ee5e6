"""The benchmark's witness: what goes through its proxy is what it counts."""

from __future__ import annotations

import requests

from bench.proxy import proxy

from .servers import Handler, serving

CONTENT = b"content"


class Mirror(Handler):
    """Has one file, of which it gives a part to whoever asks for one."""

    def do_GET(self) -> None:
        if not self.path.endswith("/file"):
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        body = CONTENT[int(asked.strip("bytes=-")) :] if asked else CONTENT
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_downloads_are_counted_whole_or_in_part() -> None:
    with serving(Mirror) as mirror, proxy() as (address, fetched), requests.Session() as session:
        session.proxies = {"http": address}
        session.trust_env = False
        assert session.get(f"{mirror}/none", timeout=10).status_code == 404
        assert fetched.total == 0
        assert session.get(f"{mirror}/file", timeout=10).content == CONTENT
        assert (fetched.total, fetched.duplicates) == (1, 0)
        rest = session.get(f"{mirror}/file", headers={"Range": "bytes=3-"}, timeout=10)
        assert (rest.status_code, rest.content) == (206, CONTENT[3:])
        assert dict(fetched.counts) == {f"{mirror}/file": 2}
