"""Files of JSON lines that are taken into the history: `p2pchat.ui.importing`.

A file is loaded, or RequestError says which line it ends at; what was taken is exported and taken
by another node again.
"""

from pathlib import Path
from tempfile import NamedTemporaryFile

from twisted.internet.defer import Deferred, execute

from p2pchat.errors import RequestError
from p2pchat.history import PAGE, Entry
from p2pchat.identity import PeerId
from p2pchat.ui.importing import LINE_LIMIT, PAGE_SIZE, Import, read_export
from tests.fuzz.cuts import pieces
from tests.fuzz.targets import words
from tests.fuzz.watch import check_shown
from tests.ui.fakes import NOON, FakeHistory

MAX_LENGTH = 4096
WORDS = (
    *words.VALUES,
    *words.keys("stored_id", "time", "msg_id", "from", "to", "text", "kind", "direction"),
    *words.keys("state", "reason", "relayed", "unread"),
    *(b'"alice@CIC"', b'"bob@CIC"', b'"#CIC"', b'"*"', b'"send"', b'"pub"', b'"in"', b'"out"'),
    *(b'"queued"', b'"sent"', b'"delivered"', b'"failed"', b'"2025-03-01T12:00:00Z"'),
    *(b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59.999999-23:59"', b"\n"),
)

ME = PeerId("alice@CIC")


def check(data: bytes) -> None:
    """Load this file."""
    content = b"".join(pieces(data))
    history = FakeHistory()
    with NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        _check_pages(Path(file.name))
        _load(history, Path(file.name))
    taken = _everything(history)
    assert len(taken) <= content.count(b"\n") + 1, "more messages than lines"
    for entry in taken:
        for text in (entry.msg_id, entry.source, entry.to, entry.text, entry.reason):
            text.encode("utf-8")  # as the disk needs it
    again = FakeHistory()
    (added, skipped) = again.import_entries(taken).result
    assert (added, skipped) == (len(taken), 0), "what was taken is not taken again"


def _check_pages(path: Path) -> None:
    try:
        for page in read_export(path, NOON):
            assert 0 < len(page) <= PAGE, "a page without bound"
            assert sum(len(entry.text) for entry in page) <= PAGE_SIZE + LINE_LIMIT, "a large page"
    except RequestError as error:
        check_shown(error)


def _load(history: FakeHistory, path: Path) -> None:
    """Load a file as a node does."""
    outcome: list[object] = []
    loading = Import(history, ME, path, NOON, execute)
    running = Deferred.fromCoroutine(loading.run())
    running.addErrback(lambda failure: failure.trap(RequestError)).addBoth(outcome.append)
    (result,) = outcome
    assert result in (None, RequestError), f"it failed: {result}"


def _everything(history: FakeHistory) -> list[Entry]:
    return list(history.entries(None, 10_000).result)
