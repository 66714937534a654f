"""twistd that also writes down what comes in: `python -m tests.fuzz.listening FOLDER ARGUMENT ...`.

Each connection has a file in FOLDER, named by what it is and a number: all that was read from it.
So have the console, and Redis, whose answers end with 0x00 there, as tests/fuzz/targets has them.
"""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from p2pchat import process

_numbers = count()


def main(folder: Path, arguments: list[str]) -> None:
    process.install_reactor()
    _listen(folder)
    sys.argv = ["twistd", *arguments]
    from twisted.scripts.twistd import run

    run()


def _listen(folder: Path) -> None:
    from p2pchat.archive.protocol import ArchiveProtocol
    from p2pchat.chat.protocol import ChatProtocol
    from p2pchat.chat.session import Role
    from p2pchat.rendezvous.connection import RendezvousProtocol
    from p2pchat.rendezvous.exchange import _Line
    from p2pchat.rendezvous.redis_client import RedisClient
    from p2pchat.ui.lines import LineSplitter

    def side(link: Any) -> str:
        return "chat-dialled" if link.role is Role.DIALLER else "chat-accepted"

    def end(link: Any) -> str:
        return "archive-dialled" if link.dialled else "archive-accepted"

    _note(ChatProtocol, "dataReceived", folder, side)
    _note(ArchiveProtocol, "dataReceived", folder, end)
    _note(RendezvousProtocol, "dataReceived", folder, lambda _: "rendezvous-request")
    _note(_Line, "dataReceived", folder, lambda _: "rendezvous-answer")
    _note(LineSplitter, "feed", folder, lambda _: "console")
    _note_answers(RedisClient, folder)


def _note(owner: type, name: str, folder: Path, kind: Callable[[Any], str]) -> None:
    """Write down what a method is given, in one file for each object it is a method of."""
    original = getattr(owner, name)

    def noting(self: Any, data: bytes) -> Any:
        path = self.__dict__.get("_noted_in")
        if path is None:
            path = self._noted_in = folder / f"{kind(self)}-{next(_numbers)}"
        with path.open("ab") as file:
            file.write(data)
        return original(self, data)

    setattr(owner, name, noting)


def _note_answers(client: Any, folder: Path) -> None:
    from p2pchat.rendezvous import redis_scripts as scripts

    kinds = {
        getattr(scripts, name): name.lower()
        for name in ("REGISTER", "KNOWS", "FIND", "UNREGISTER", "CENSUS", "JUDGE")
    }
    original = client.run

    async def run(self: Any, script: bytes, *others: Any) -> Any:
        answer = await original(self, script, *others)
        with (folder / f"redis-{kinds[script]}-0").open("ab") as file:
            file.write((b":%d" % answer if isinstance(answer, int) else answer) + b"\0")
        return answer

    client.run = run


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
