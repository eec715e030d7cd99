"""The requests client of py-sequential, py-threads and py-gevent, which differ in how they wait."""
from __future__ import annotations

import time

import weft_child
import requests
from requests.adapters import HTTPAdapter


class Client:
    """A requests.Session, shared by all that wait at once."""

    def __init__(self, config: weft_child.Config):
        self.keepalive = config.keepalive
        self.timeout = config.timeout
        self.session = requests.Session()
        self.session.trust_env = False  # no proxy, no ~/.netrc: the same work on every host
        self.session.headers["Accept-Encoding"] = "identity"  # as the other models
        if not config.keepalive:
            self.session.headers["Connection"] = "close"
        if config.concurrency:
            # The default keeps ten connections and closes what comes back beyond: with a hundred
            # in flight, nearly every request would pay for a new one.
            adapter = HTTPAdapter(pool_connections=1, pool_maxsize=config.concurrency)
            self.session.mount("http://", adapter)

    def get(self, url: str) -> bytes:
        """The body of a page."""
        begin = time.monotonic()
        response = self.ask(url)
        # requests bounds each wait for the socket, not the whole request: an answer that drips is
        # too late when it has ended.
        if time.monotonic() - begin > self.timeout:
            raise TimeoutError(f"took longer than {self.timeout} s")
        if response.status_code != 200:
            raise weft_child.StatusError(response.status_code)
        # Before urllib3 2 a body that is too short is no error.
        length = response.headers.get("Content-Length")
        if length is not None and len(response.content) < int(length):
            raise weft_child.CutError(f"{len(response.content)} bytes of {length}")
        return response.content

    def ask(self, url: str) -> requests.Response:
        try:
            return self.session.get(url, timeout=self.timeout, allow_redirects=False)
        except requests.ConnectionError as error:
            if not self.keepalive or weft_child.cause_of(error) != weft_child.RESET:
                raise
        # No answer began: a kept connection had ended before the request. It is sent once more, as
        # every browser does.
        return self.session.get(url, timeout=self.timeout, allow_redirects=False)
