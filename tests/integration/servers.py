"""Rendezvous servers that a test plays itself."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

from tests.integration.programs import HERE
from tests.integration.waiting import PATIENCE, Record

Request = dict[str, Any]


class PlayedServer:
    """Notes the requests of all clients and answers each as `answer` says; None keeps silent."""

    def __init__(self, port: int, answer: Callable[[Request], bytes | None]) -> None:
        self.port = port
        self.requests: Record[Request] = Record()
        self._answer = answer
        self._open: list[socket.socket] = []
        self._server = socket.create_server((HERE, port))
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_for(self, kind: str) -> Request:
        """Return the first request of this type that was not returned before."""
        return self.requests.take(lambda request: request["type"] == kind, kind)

    def stop(self) -> None:
        """Take no new connections; those that wait for an answer go on waiting."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(PATIENCE)

    def close(self) -> None:
        self.stop()
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._server.accept()
                connection.settimeout(PATIENCE)
                self._open.append(connection)
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        with suppress(OSError):
            request = json.loads(connection.makefile("rb").readline())
            self.requests.add(request)
            answer = self._answer(request)
            if answer is not None:
                connection.sendall(answer)
                connection.close()


def keep_silent(request: Request) -> None:
    """Answer nothing, and keep the connection."""


def talk_nonsense(request: Request) -> bytes:
    return b"<html>\xff\x00 It works!</html>\n"


def obey(request: Request) -> bytes:
    """Answer as if all were well and nobody else there."""
    answer: dict[str, object] = {"status": "OK"}
    if request["type"] == "REGISTER":
        answer |= {"ttl": request["ttl"], "ip": HERE, "port": request["port"]}
    elif request["type"] == "DISCOVER":
        answer["peers"] = []
    return json.dumps(answer).encode() + b"\n"
