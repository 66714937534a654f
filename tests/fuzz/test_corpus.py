"""What the fuzzer starts from, and what it found, holds; each target notes a bug that is put in."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request

from p2pchat import config
from p2pchat.archive.codec import _Bytes
from p2pchat.archive.disk import FileStorage
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.protocol import ArchiveProtocol
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.metrics import bounded
from p2pchat.metrics.http import MetricsPage
from p2pchat.rendezvous import answering, answers, proxied, redis_registry
from p2pchat.rendezvous.connection import RendezvousProtocol
from p2pchat.rendezvous.redis_limiter import RedisLimiter
from p2pchat.store import queries, rows, salvage
from p2pchat.ui import commands, importing
from p2pchat.ui.lines import LineSplitter
from tests.fuzz.campaign import CORPUS, inputs_of
from tests.fuzz.cuts import MAX_SIZE, in_pieces, pieces, whole
from tests.fuzz.record import record
from tests.fuzz.targets import TARGETS, chat_codec, load, redis_replies

#: Most inputs of a target that are recorded, and bytes of all of them.
MAX_INPUTS, MAX_CORPUS = 40, 200_000


class CorpusTests(SynchronousTestCase):
    def test_every_input_that_is_kept_holds(self) -> None:
        for name in TARGETS:
            target, paths = load(name), inputs_of(name)
            self.assertGreater(len(paths), 5)
            for path in paths:
                with self.subTest(target=name, input=path.name):
                    target.check(path.read_bytes())

    def test_the_corpus_is_what_is_recorded(self) -> None:
        with TemporaryDirectory() as folder:
            record(Path(folder))
            recorded, kept = contents(Path(folder)), contents(CORPUS)
        self.assertEqual(set(recorded), set(kept), "python -m tests.fuzz.record writes it anew")
        self.assertEqual(recorded, kept)

    def test_the_corpus_is_small(self) -> None:
        for folder in CORPUS.iterdir():
            self.assertLessEqual(len(list(folder.iterdir())), MAX_INPUTS, folder)
        self.assertLess(sum(map(len, contents(CORPUS).values())), MAX_CORPUS)

    def test_the_empty_input_holds(self) -> None:
        for name in TARGETS:
            with self.subTest(target=name):
                load(name).check(b"")


class CutsTests(SynchronousTestCase):
    @given(st.binary(max_size=300))
    def test_the_pieces_are_all_there_is(self, data: bytes) -> None:
        self.assertEqual(b"".join(pieces(whole(data))), data)
        self.assertEqual(b"".join(pieces(in_pieces(data, 9, 40_000, 65_535))), data)
        self.assertEqual(b"".join(pieces(in_pieces(data, 1, doubled=3))), 8 * data)

    @given(st.binary(max_size=4096))
    def test_they_have_a_bound(self, data: bytes) -> None:
        parts = pieces(data)
        self.assertLessEqual(len(b"".join(parts)), MAX_SIZE)
        self.assertNotIn(b"", parts)

    def test_cuts_are_fractions_in_any_order(self) -> None:
        self.assertEqual(pieces(in_pieces(b"abcd", 0xC000, 0x4000)), [b"a", b"bc", b"d"])


Plant = AbstractContextManager[object]


class PlantedTests(SynchronousTestCase):
    """A bug in what is fuzzed breaks some input of the corpus."""

    def assert_noticed(self, target: str, plant: Plant, by: str = "") -> None:
        """Check that an input fails, with `by` in what is said."""
        check = load(target).check
        with plant:
            for path in inputs_of(target):
                try:
                    check(path.read_bytes())
                except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
                    if by in str(error):
                        self.flushLoggedErrors()
                        return
        self.fail(f"{target}: nothing was found")

    def test_errors_that_are_not_documented(self) -> None:
        for target, owner, name in (
            ("chat-codec", chat_codec, "decode"),
            ("session", ChatProtocol, "_learn_from"),
            ("session", ChatProtocol, "_hand_over_talk"),
            ("rendezvous-server", answering, "parse_request"),
            ("rendezvous-server", RendezvousProtocol, "_reply"),
            ("rendezvous-proxied", proxied, "read_header"),
            ("rendezvous-answers", answers, "_ip"),
            ("archive-framer", Incoming, "_skip"),
            ("archive-link", ArchiveProtocol, "peer_list"),
            ("archive-growth", Incoming, "_put_together"),
            ("archive-disk", FileStorage, "_mend"),
            ("import", importing, "as_ours"),
            ("config", config, "_check_archive"),
            ("metrics-http", MetricsPage, "_answer"),
            ("console-lines", commands, "find_command"),
            ("store-salvage", salvage, "begin"),
            ("redis-replies", redis_registry, "_peer"),
            ("redis-replies", RedisLimiter, "_note"),
        ):
            with self.subTest(target=target, name=name):
                self.assert_noticed(target, patch.object(owner, name, side_effect=KeyError("x")))

    def test_buffers_without_bound(self) -> None:
        for target, plant in (
            ("session", patch.object(ChatProtocol, "MAX_LENGTH", 1 << 30)),
            ("rendezvous-server", deaf_to_its_bound(RendezvousProtocol)),
            ("rendezvous-proxied", patch.object(proxied, "read_header", return_value=None)),
            ("metrics-http", patch.object(bounded, "_Bodiless", Request)),
            ("console-lines", patch.object(LineSplitter, "_grow", growing)),
            ("store-salvage", patch.object(queries, "peers", lambda db: iter([("x",)] * 30_000))),
            ("redis-replies", patch.object(RedisLimiter, "_note", noting_all)),
            ("archive-framer", patch.object(_Bytes, "__init__", keeping_all)),
            ("archive-framer", patch.object(Incoming, "_limit", without_limit, create=True)),
            ("archive-link", patch.object(Incoming, "_limit", without_limit, create=True)),
        ):
            with self.subTest(target=target):
                self.assert_noticed(target, plant, "is kept")

    def test_a_list_without_end(self) -> None:
        plant = patch.object(redis_replies, "SLICES", 1 << 30)
        self.assert_noticed("redis-replies", plant, "without end")

    def test_messages_that_nobody_wrote(self) -> None:
        plant = patch.object(rows, "checksum", lambda *said: AnyNumber())
        self.assert_noticed("store-salvage", plant, "never written")

    def test_archives_that_are_not_taken(self) -> None:
        plant = patch.object(Incoming, "useful", False)
        self.assert_noticed("archive-growth", plant, "the longest was not taken")

    def test_pieces_that_make_a_difference(self) -> None:
        for target, owner, name in (
            ("session", ChatProtocol, "dataReceived"),
            ("rendezvous-server", RendezvousProtocol, "dataReceived"),
            ("rendezvous-proxied", RendezvousProtocol, "dataReceived"),
            ("archive-framer", Incoming, "feed"),
            ("archive-link", Incoming, "feed"),
            ("archive-growth", Incoming, "feed"),
            ("console-lines", LineSplitter, "feed"),
        ):
            with self.subTest(target=target):
                plant = patch.object(owner, name, losing_one(owner, name))
                self.assert_noticed(target, plant, "pieces")


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in all files of a folder's folders."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*/*"))
    }


def deaf_to_its_bound(kind: type) -> Plant:
    """Let a line grow for ever."""

    def collect(self, data: bytes) -> None:
        self._received += data

    return patch.object(kind, "dataReceived", collect)


without_limit = property(lambda self: 1 << 30, lambda self, limit: None)


def keeping_all(self, size: int, keep: int) -> None:
    """Keep all of a list, however long it is."""
    self.kept, self._missing, self._taken, self._keep = bytearray(), size, 0, size


class AnyNumber:
    """Is equal to all."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return True


def growing(self, part: bytes) -> None:
    """Keep a line however long it is."""
    self._start += part


def noting_all(self, ip: str, left: float) -> None:
    """Remember all that are blocked."""
    self._blocked[ip] = self._clock.seconds() + left


def losing_one(owner: type, name: str) -> Callable[..., Any]:
    """Return a method that loses the last byte of each read."""
    original = getattr(owner, name)

    def lose(self, data: bytes | memoryview) -> Any:
        taken = original(self, data[:-1])
        return taken + 1 if isinstance(taken, int) else taken

    return lose
