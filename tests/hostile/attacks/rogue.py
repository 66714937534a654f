"""A rendezvous server in an attacker's hands."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

from tests.hostile.target import Tally
from tests.integration.programs import HERE
from tests.integration.servers import Request, obey
from tests.integration.waiting import PATIENCE

#: What is written in one call.
_PIECE = 1 << 16


class RogueServer:
    """Answers as it should until `answer` is set, and then as that says, for as long as it is read.

    An answer is made of pieces, so that a long one takes no memory here.
    """

    def __init__(self, port: int, tally: Tally) -> None:
        self.answer: Callable[[Request], list[bytes]] | None = None
        self._tally = tally
        self._lock = Lock()
        self._server = socket.create_server((HERE, port))
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no new connections."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._server.accept()
                connection.settimeout(PATIENCE)
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request: Request = json.loads(connection.makefile("rb").readline())
            if self.answer is None:
                connection.sendall(obey(request))
            else:
                self._attack(connection, self.answer(request))

    def _attack(self, connection: socket.socket, pieces: list[bytes]) -> None:
        with self._lock:
            self._tally.connections += 1
            self._tally.messages += 1
        try:
            for piece in pieces:
                connection.sendall(piece)
                with self._lock:
                    self._tally.bytes += len(piece)
        except OSError:
            with self._lock:
                self._tally.closed += 1
            raise
