"""The published archives are read as they are, and the smallest change to them is noticed."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.archive.examples import EXAMPLE, EXAMPLE_FILE, THOUSAND_FILE, wire
from tests.archive.heard import heard


class RoundTrip(SynchronousTestCase):
    def test_the_published_archives_survive(self) -> None:
        for file in (EXAMPLE_FILE, THOUSAND_FILE):
            for sizes in ((), (1,), (65536,), (1, 2000), (17,)):
                begins, ends = heard(b"\4" + file, *sizes, verify=True)
                self.assertEqual(begins, ("begins", int.from_bytes(file[:4], "big")))
                archive = ends[1]
                self.assertEqual(archive.count() + bytes(archive.view()), file)
                self.assertEqual(wire(archive), b"\4" + file)


class Flips(SynchronousTestCase):
    """Any bit of the published example that changes is noticed."""

    def test_every_single_bit(self) -> None:
        self.assertEqual(heard(b"\4" + EXAMPLE_FILE, verify=True)[1:], [("ends", EXAMPLE)])
        for bit in range(len(EXAMPLE_FILE) * 8):
            data = bytearray(EXAMPLE_FILE)
            data[bit // 8] ^= 1 << bit % 8
            _, *reported = heard(b"\4" + bytes(data), verify=True)
            if bit >= 32:
                # nothing of it is an archive, whatever the rest is taken for
                self.assertIn(reported[0], ("unfinished", ("ends", None)), bit)
            else:
                self.check_count(int.from_bytes(data[:4], "big"), reported)

    def check_count(self, count: int, reported: list[Any]) -> None:
        if count > EXAMPLE.height:
            self.assertEqual(reported, ["unfinished"], count)
        else:
            self.assertEqual(reported[0], ("ends", EXAMPLE.truncated(count)))
            self.assertNotEqual(reported[1:], [], "the other chats went unnoticed")

    def test_every_byte_that_is_missing(self) -> None:
        for size in range(len(EXAMPLE_FILE)):
            reported = heard(b"\4" + EXAMPLE_FILE[:size], verify=True)
            self.assertEqual(reported[-1], "unfinished")
            self.assertNotIn("ends", reported)
