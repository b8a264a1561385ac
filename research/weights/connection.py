"""One request over HTTP whose answer must keep coming: a server that lets bytes drip is left after a while.

The timeout of a socket begins anew with each byte, and so do those of urllib, requests and httpx; none of them has a least
rate. Here it is measured where bytes come off the wire, from the first line of the answer to the last byte of the file.
"""

import http.client
import io
import socket
import time
import urllib.request
from collections.abc import Mapping
from typing import Any


def opened(url: str, headers: Mapping[str, str], *, timeout: float, slowest: float) -> http.client.HTTPResponse:
    """Asks for an address and returns the answer, of which the body can be read.

    Args:
        url: an http or https address; only to such ones an answer may lead on.
        headers: of the request.
        timeout: seconds without a byte, and for which the rate is measured.
        slowest: bytes a second that must come.

    Raises:
        TimeoutError: nothing, or too little, comes; while the body is read as well.
        urllib.error.URLError: there is no connection, or the answer is not one of success.
        http.client.HTTPException: the answer is not HTTP.
        ValueError: the address is none, or leads to one that is none.
    """
    opener = urllib.request.OpenerDirector()

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *rest: Any, **named: Any) -> None:
            super().__init__(sock, *rest, **named)
            self.fp = io.BufferedReader(_Measured(self.fp, timeout, slowest))

    class Connection(http.client.HTTPConnection):
        response_class = Response

    class SecureConnection(http.client.HTTPSConnection):
        response_class = Response

    class Handler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(SecureConnection, req)

    for handler in (
        urllib.request.ProxyHandler(),
        Handler(),
        SecureHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=timeout)


class _Measured(io.RawIOBase):
    """A stream of bytes that must come fast enough."""

    def __init__(self, stream: io.BufferedReader, seconds: float, slowest: float) -> None:
        self._stream, self._seconds, self._slowest = stream, seconds, slowest
        # What the reader does between two pieces is not the server's time.
        self._waited, self._came = 0.0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        begun = time.monotonic()
        piece = self._stream.read1(len(buffer))
        buffer[: len(piece)] = piece
        self._waited, self._came = self._waited + time.monotonic() - begun, self._came + len(piece)
        if self._waited >= self._seconds:
            if piece and self._came < self._slowest * self._waited:
                raise TimeoutError(f"fewer than {self._slowest:,.0f} bytes a second came for {self._waited:.2g} s")
            self._waited, self._came = 0.0, 0
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()
