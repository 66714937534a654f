"""Codes that are found fit, and what does not fit is found (docs/protocols.md, 3)."""

import hashlib
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive import kernel
from p2pchat.archive.kernel import ALIGNMENT, CODES, first_invalid, python, search
from p2pchat.archive.kernel.choice import kernels
from tests.archive.examples import (
    EXAMPLE,
    THOUSAND,
    branch,
    chats_of,
    invalid_chat,
    joined,
    long_texts,
)

KERNELS = kernels()


class Looks:
    """A stop() that counts how often it was asked and comes true after so many times."""

    def __init__(self, limit: int | None = None) -> None:
        self.count = 0
        self._limit = limit

    def __call__(self) -> bool:
        self.count += 1
        return self._limit is not None and self.count > self._limit


def fits(prefix: bytes, code: bytes) -> bool:
    return hashlib.md5(prefix + code, usedforsecurity=False).digest()[:2] == b"\0\0"


class Searching(SynchronousTestCase):
    def check(self, prefix: bytes, start: int = 0) -> bytes:
        """Return the code that all kernels find, and that fits."""
        codes = {self.found_by(searching, prefix, start) for searching in KERNELS}
        self.assertEqual(len(codes), 1)
        [code] = codes
        self.assertEqual(len(code), 16)
        self.assertTrue(fits(prefix, code))
        return code

    def found_by(self, searching: Any, prefix: bytes, start: int) -> bytes:
        looks = Looks()
        self.patch(kernel, "_kernel", searching)
        code = search(prefix, looks, start)
        assert code is not None
        tries = (int.from_bytes(code, "big") - start // ALIGNMENT * ALIGNMENT) % CODES
        self.assertEqual(looks.count, tries // kernel.tries_a_look() + 1, searching.name)
        return code

    def test_prefixes_around_the_edges_of_a_block(self) -> None:
        for length in (0, 1, 39, 40, 41, 48, 49, 55, 56, 63, 64, 65, 2047, 2048, 5757, 6000):
            self.check(bytes(length % 251 for _ in range(length)))

    @settings(deadline=None, max_examples=20)
    @given(st.integers(0, 6000), st.binary(min_size=1, max_size=64), st.integers(0, CODES - 1))
    def test_any_prefix_and_any_start(self, length: int, unit: bytes, start: int) -> None:
        self.check((unit * length)[:length], start)

    def test_the_windows_of_an_archive(self) -> None:
        for height in (0, 1, 18, 19, 20, 1000):
            self.check(THOUSAND.truncated(height).prefix_for(b"the next one"))

    def test_the_same_start_gives_the_same_code_and_another_one_another(self) -> None:
        codes = [self.check(b"prefix", start) for start in (0, 0, 1 << 90, 1 << 90)]
        self.assertEqual(codes[0], codes[1])
        self.assertEqual(codes[2], codes[3])
        self.assertNotEqual(codes[0], codes[2])

    def test_no_code_that_fits_is_passed_over(self) -> None:
        found = int.from_bytes(self.check(b"prefix"), "big")
        for number in range(found):
            self.assertFalse(fits(b"prefix", number.to_bytes(16, "big")))

    def test_a_mark_at_the_start_stays_in_front_of_the_code(self) -> None:
        for mark in (bytes(8), b"\1" * 8, b"\xff" * 8, b"\0\0\0\0\0\0\0\1"):
            start = int.from_bytes(mark + bytes(8), "big")
            self.assertEqual(self.check(b"prefix", start)[:8], mark)

    def test_a_start_is_rounded_down_so_that_one_before_it_may_be_found(self) -> None:
        code = self.check(b"prefix")
        last = int.from_bytes(code, "big") | (ALIGNMENT - 1)
        self.assertGreater(last.to_bytes(16, "big"), code)
        self.assertEqual(self.check(b"prefix", last), code)

    def test_behind_the_last_code_comes_the_first(self) -> None:
        for prefix in (b"prefix", b"p" * 49, b"p" * 60):
            self.assertEqual(self.check(prefix, CODES - 1), self.check(prefix))

    def test_it_stops_when_it_is_told_and_then_has_no_code(self) -> None:
        for searching in KERNELS:
            self.patch(kernel, "_kernel", searching)
            prefix, needed = self.one_that_takes_looks()
            for limit in (0, 1, needed - 1):
                looks = Looks(limit)
                self.assertIsNone(search(prefix, looks))
                self.assertEqual(looks.count, limit + 1)
            self.assertEqual(search(prefix, Looks(needed)), search(prefix, Looks()))

    def one_that_takes_looks(self) -> tuple[bytes, int]:
        """Return a prefix for which more than two looks are needed, and how many."""
        for number in range(1000):
            looks = Looks()
            search(b"prefix %d" % number, looks)
            if looks.count > 2:
                return b"prefix %d" % number, looks.count
        raise AssertionError


class Recorded:
    """An MD5 that notes how many bytes it is given at a time."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes

    def __call__(self, data: Any = b"", *, usedforsecurity: bool) -> "Recorded":
        assert not usedforsecurity
        state = Recorded(self._sizes)
        state._md5 = hashlib.md5(usedforsecurity=False)
        state.update(data)
        return state

    def update(self, data: Any) -> None:
        self._sizes.append(len(data))
        self._md5.update(data)

    def digest(self) -> bytes:
        return self._md5.digest()


class Verifying(SynchronousTestCase):
    def first_invalid(
        self, chats: list[bytes], start: int = 0, stop: int | None = None
    ) -> int | None:
        """Return what all kernels find."""
        archive = joined(chats)
        stop = len(chats) if stop is None else stop
        found = set()
        for verifying in KERNELS:
            self.patch(kernel, "_kernel", verifying)
            found.add(first_invalid(archive.buffer, archive.offsets, start, stop))
        self.assertEqual(len(found), 1)
        return found.pop()

    def test_published_archives_are_valid_and_so_is_what_we_mine(self) -> None:
        for archive in (EXAMPLE, THOUSAND, branch(0), branch(18), branch(990), long_texts()):
            chats = chats_of(archive)
            self.assertIsNone(invalid_chat(chats))
            self.assertIsNone(self.first_invalid(chats))

    def test_nothing_is_no_invalid_chat(self) -> None:
        self.assertIsNone(self.first_invalid([]))
        for index in (0, 1, 30, 1000):
            self.assertIsNone(self.first_invalid(chats_of(THOUSAND), index, index))

    @settings(deadline=None, max_examples=100)
    @given(st.data(), st.sampled_from([THOUSAND.truncated(60), long_texts()]))
    def test_it_finds_what_the_plain_rules_find(self, data: st.DataObject, archive: Any) -> None:
        chats = chats_of(archive)
        for _ in range(data.draw(st.integers(0, 3))):
            index = data.draw(st.integers(0, len(chats) - 1))
            broken = bytearray(chats[index])
            # all but the length, so that the chats stay where they are
            broken[data.draw(st.integers(1, len(broken) - 1))] ^= 1 << data.draw(st.integers(0, 7))
            chats[index] = bytes(broken)
        expected = invalid_chat(chats)
        self.assertEqual(self.first_invalid(chats), expected)
        start = data.draw(st.integers(0, len(chats)))
        stop = data.draw(st.integers(start, len(chats)))
        if expected is not None:
            start = min(start, expected)
        found = self.first_invalid(chats, start, stop)
        self.assertEqual(found, expected if expected is not None and expected < stop else None)

    def test_from_any_chat_to_any_other(self) -> None:
        chats = chats_of(THOUSAND)[:45]
        for start in range(46):
            for stop in range(start, 46):
                self.assertIsNone(self.first_invalid(chats, start, stop), (start, stop))

    def test_an_md5_that_is_right_but_begins_otherwise_is_not_enough(self) -> None:
        for first, second in ((0, 1), (1, 0), (0, 128)):
            chat = self.unproven(bytes([first, second]))
            self.assertEqual(self.first_invalid([chat]), 0)

    def unproven(self, start: bytes) -> bytes:
        """Return a chat whose MD5 is right, but begins like this."""
        for number in range(1 << 24):
            chat = b"\1x" + number.to_bytes(16, "big")
            digest = hashlib.md5(chat, usedforsecurity=False).digest()
            if digest.startswith(start):
                return chat + digest
        raise AssertionError(start)

    def test_the_buffer_can_be_resized_again_afterwards(self) -> None:
        for chats in (chats_of(EXAMPLE), [bytes(33)]):
            buffer = bytearray(b"".join(chats))
            offsets = list(accumulate(map(len, chats), initial=0))
            for verifying in KERNELS:
                self.patch(kernel, "_kernel", verifying)
                first_invalid(buffer, offsets, 0, len(chats))
                buffer += b"more"

    def test_no_piece_is_so_long_that_hashing_it_gives_up_the_lock(self) -> None:
        sizes: list[int] = []
        self.patch(python, "_md5", Recorded(sizes))
        self.assertIsNone(self.first_invalid(chats_of(long_texts())))
        self.assertLess(max(sizes), 2048)
        self.assertGreater(sum(sizes), 22 * 2048)


class Fallback(SynchronousTestCase):
    """The interpreter may have been built without an MD5 of its own."""

    def same(self, function: Callable[[], Any]) -> None:
        self.patch(kernel, "_kernel", python.PythonKernel())
        ours = function()
        self.patch(python, "_md5", hashlib.md5)
        self.assertEqual(kernel.name(), "hashlib.md5")
        self.assertEqual(function(), ours)

    def test_openssl_finds_the_same_code(self) -> None:
        self.same(lambda: search(b"prefix", Looks(), 1 << 64))

    def test_openssl_finds_the_same_chats_invalid(self) -> None:
        chats = chats_of(long_texts())
        chats[20] = chats[20][:-1] + b"?"
        archive = joined(chats)
        self.same(lambda: first_invalid(archive.buffer, archive.offsets, 0, archive.height))
        self.assertEqual(first_invalid(archive.buffer, archive.offsets, 0, archive.height), 20)
