"""What is told of the node and its archive."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.api import ArchiveDialInfo
from p2pchat.ui.status import archive_lines, status_lines
from tests.ui.fake_archive import TIP, archive_info, archive_peer, chat_info
from tests.ui.fakes import STATUS

PEERS = [
    archive_peer("192.0.2.7", "in", "out", "in", height=12),
    archive_peer("192.0.2.8", "in", height=3, offences=4, paused=43.5),
]
CHATS = [
    chat_info("first", "confirmed", height=11, confirmations=2),
    chat_info("second", "displaced"),
    chat_info("third", "mining"),
]
BUSY = archive_info(
    height=12,
    tip=TIP,
    size=1536,
    peers=PEERS,
    connecting=1,
    chats=CHATS,
    mining=True,
    rate=1_310_720.0,
    tries=70_123,
    missing=[ArchiveDialInfo("ghost.example:51511", "DNS lookup failed", 12.5)],
)


class StatusTests(SynchronousTestCase):
    def archive_part(self, info) -> list[str]:
        """The lines that an archive adds."""
        without = status_lines(STATUS)
        found = status_lines(replace(STATUS, archive=info))
        self.assertEqual([line for line in found if line in without], without)
        return [line for line in found if line not in without]

    def test_a_server_that_fails_is_told_when_it_is_tried_again(self) -> None:
        up = STATUS.rendezvous[0]
        down = replace(up, address="192.0.2.7:8080", state="silent", serving=False, next_try=12.4)
        lines = status_lines(replace(STATUS, rendezvous=[up, down]))
        self.assertEqual(
            [line for line in lines if line.startswith("rendezvous")],
            [
                "rendezvous 127.0.0.1:8080, served by this node: answers, registered, 3 peers",
                "rendezvous 192.0.2.7:8080: silent, next try in 12 s, registered, 3 peers",
            ],
        )

    def test_an_archive_is_one_line(self) -> None:
        self.assertEqual(
            self.archive_part(archive_info(height=1, peers=PEERS[:1], port=0)),
            [
                "archive: 1 chat, 1 peer; under way: 0 chats; not listening: "
                "another program of this machine has the port, and is dialled; "
                "_md5: 2.6 million tries/s a thread"
            ],
        )
        [line] = self.archive_part(archive_info(height=2, loading=True))
        self.assertTrue(line.startswith("archive: 2 chats (loading), 0 peers"), line)

    def test_offenders_that_are_paused_are_told_apart(self) -> None:
        self.assertEqual(
            self.archive_part(BUSY),
            [
                "archive: 12 chats, 2 peers; under way: 2 chats; listening on 127.0.0.2:51511; "
                "_md5: 2.6 million tries/s a thread",
                "archive: what these send is ignored for now, it was worth nothing: "
                "192.0.2.8 (4 offences, 43 s to go)",
            ],
        )

    def test_of_many_offenders_some_are_named(self) -> None:
        many = [archive_peer(f"192.0.2.{number}", offences=3, paused=9.0) for number in range(7)]
        [_, line] = self.archive_part(archive_info(peers=many))
        self.assertTrue(line.endswith("192.0.2.4 (3 offences, 9 s to go), 2 more"), line)


class ArchiveTests(SynchronousTestCase):
    def test_a_busy_one(self) -> None:
        self.assertEqual(
            archive_lines(BUSY),
            [
                f"12 chats, 1.5 KiB of 64 MiB, tip {TIP}",
                "listening on 127.0.0.2:51511",
                "mining, 2 chats to go, 70,123 tries for this one so far; "
                "at 1.3 million tries/s, so that a chat takes 0.05 s",
                "computed by _md5: 2.6 million tries/s a thread",
                "✓✓ ⛓ first (in the archive at height 11, confirmed by 2 peers)",
                "↻ ⛓ second (displaced by a longer archive, mined again)",
                "… ⛓ third (mining)",
                "2 peers, 1 more dialled",
                "no link to ghost.example:51511: DNS lookup failed; dialled again in 12 s",
                "peer       height  links        offences  ignored for",
                "192.0.2.7  12      2 in, 1 out  0         -",
                "192.0.2.8  3       1 in         4         43 s",
            ],
        )

    def test_hosts_that_are_missing(self) -> None:
        """Of many some; one that was not answered yet has no reason."""
        missing = [ArchiveDialInfo(f"host{number}", "", 0.0) for number in range(12)]
        found = archive_lines(archive_info(missing=missing, connecting=12))
        self.assertIn("no link to host9: no answer yet", found)
        self.assertEqual(found[-1], "and to 2 more")

    def test_an_idle_one_that_is_loading(self) -> None:
        self.assertEqual(
            archive_lines(archive_info(loading=True, port=0)),
            [
                "loading: the archive's file is being read",
                "0 chats, 0 B of 64 MiB",
                "not listening: another program of this machine has the port, and is dialled",
                "not mining; the rate is not known yet",
                "computed by _md5: 2.6 million tries/s a thread",
                "0 peers; /connect HOST dials one",
            ],
        )

    def test_a_full_one_says_what_waits_for_room(self) -> None:
        full = archive_info(chats=[chat_info("text")], size=1000, limit=1036)
        self.assertIn(
            "not mining, the archive is full: 1 chat of ours must wait; the rate is not known yet",
            archive_lines(full),
        )
        self.assertNotIn("full", "".join(archive_lines(replace(full, limit=1037))))

    def test_of_many_chats_the_newest_are_listed(self) -> None:
        chats = [chat_info(f"text {number}") for number in range(23)]
        found = [line for line in archive_lines(archive_info(chats=chats)) if "text" in line]
        self.assertEqual(len(found), 20)
        self.assertEqual(found[0], "… ⛓ text 3 (mining)")
        self.assertIn("3 chats of ours before", archive_lines(archive_info(chats=chats)))
