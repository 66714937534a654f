"""Rules 3 and 7: counts lie, and cost no memory (docs/protocols.md, 3.3 and 3.7)."""

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.codec import MAX_ADDRESSES, PEER_REQUEST, Framer, peer_list
from tests.archive.heard import Heard, heard

#: 4,294,967,295
HIGHEST = b"\xff" * 4


class Counts(SynchronousTestCase):
    def peak(self, *data: bytes) -> int:
        """Return the most memory that was taken, in bytes, while a framer was fed."""
        framer = Framer(Heard(verify=True), accepted=True)
        tracemalloc.start()
        try:
            for piece in data:
                framer.feed(piece)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def test_rule_7_a_count_alone_takes_nothing(self) -> None:
        for kind in (b"\2", b"\4"):
            self.assertLess(self.peak(kind + HIGHEST), 10_000)

    def test_rule_7_of_a_list_without_end_the_first_addresses_are_kept(self) -> None:
        piece = bytes(65536)
        self.assertLess(self.peak(b"\2" + HIGHEST, *[piece] * 60), 50_000)

    def test_rule_7_an_archive_takes_no_more_than_what_came(self) -> None:
        piece = bytes([255]) * 65536
        self.assertLess(self.peak(b"\4" + HIGHEST, *[piece] * 10), 2 * 10 * len(piece))

    def test_rule_3_never_more_than_1000_addresses(self) -> None:
        many = [f"1.2.{number // 256}.{number % 256}" for number in range(1500)]
        packed = b"".join(bytes(map(int, address.split("."))) for address in many)
        for count in (999, 1000, 1001, 1500):
            data = b"\2" + count.to_bytes(4, "big") + packed[: count * 4] + PEER_REQUEST
            for sizes in ((), (7,), (4001,)):
                reported = [("peers", many[: min(count, 1000)]), "peer request"]
                self.assertEqual(heard(data, *sizes), reported)
        self.assertEqual(peer_list(many), peer_list(many[:MAX_ADDRESSES]))
