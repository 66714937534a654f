"""The kernel in C beside hashlib: every residue, every lane, and no byte read that is not ours."""

import ctypes
import hashlib
import mmap
import os
import subprocess
import sys
from array import array
from itertools import accumulate, count
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest import SkipTest

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import p2pchat
from p2pchat.archive import kernel
from p2pchat.archive.kernel import choice
from p2pchat.archive.kernel.choice import choose, complaint, kernels
from p2pchat.archive.kernel.python import PythonKernel
from tests.archive.examples import THOUSAND, chats_of, long_texts

PYTHON, *LANES = kernels()

PAGE = mmap.PAGESIZE


def never() -> bool:
    return False


def first_fitting(prefix: bytes, start: int, zeros: int) -> bytes:
    """Look for a code as plainly as can be."""
    for number in count(start):
        code = (number % (1 << 128)).to_bytes(16, "big")
        if hashlib.md5(prefix + code, usedforsecurity=False).digest().startswith(bytes(zeros)):
            return code
    raise AssertionError


def before_a_forbidden_page(data: bytes) -> memoryview:
    """Put bytes where the process dies if one behind them is read."""
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        raise SkipTest("no pages to forbid")
    pages = -(-len(data) // PAGE)
    mapped = mmap.mmap(-1, (pages + 1) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    forbidden = ctypes.c_void_p(address + pages * PAGE)
    if ctypes.CDLL(None).mprotect(forbidden, ctypes.c_size_t(PAGE), 0):
        raise OSError("mprotect failed")
    view = memoryview(mapped)[pages * PAGE - len(data) : pages * PAGE]
    view[:] = data
    return view


class LanesCase(SynchronousTestCase):
    def setUp(self) -> None:
        if not LANES:
            raise SkipTest("the kernel in C was not built")


class Searching(LanesCase):
    def check(self, prefix: bytes, start: int, zeros: int) -> None:
        expected = PYTHON.search(prefix, never, start, zeros)
        for searching in LANES:
            found = searching.search(prefix, never, start, zeros)
            self.assertEqual(found, expected, (searching.name, len(prefix), hex(start)))

    def test_every_place_of_the_code_in_its_block(self) -> None:
        for length in range(128):
            self.check(b"x" * length, length << 64, 1)

    def test_every_length_up_to_the_longest_window(self) -> None:
        for length in range(6001):
            self.check(bytes([length % 251]) * length, length << 40, 1)

    def test_nothing_is_read_behind_the_prefix(self) -> None:
        from p2pchat.archive.kernel._lanes import ffi

        for length in (*range(1, 130), PAGE, 6000):
            prefix = b"x" * length
            at_the_end = ffi.from_buffer(before_a_forbidden_page(prefix))
            for searching in LANES:
                found = searching.search(at_the_end, never, 0, 1)
                self.assertEqual(found, PYTHON.search(prefix, never, 0, 1), searching.name)

    def test_no_byte_of_the_code_is_forgotten_when_it_changes(self) -> None:
        for length in range(64):
            # so many bytes change when it is counted up for the first time
            low = 8 * (length % 15 + 1) + 8
            self.check(b"x" * length, (1 << low) - 4096, 2)

    @settings(deadline=None, max_examples=60)
    @given(
        st.integers(0, 10_000),
        st.binary(min_size=1, max_size=64),
        st.integers(0, (1 << 116) - 1),
    )
    def test_what_hashlib_finds(self, length: int, unit: bytes, aligned: int) -> None:
        prefix, start = (unit * length)[:length], aligned << 12
        expected = first_fitting(prefix, start, 1)
        for searching in LANES:
            self.assertEqual(searching.search(prefix, never, start, 1), expected, searching.name)

    def test_other_threads_run_meanwhile_and_can_end_it(self) -> None:
        for searching in LANES:
            over = Event()
            # four zero bytes are hardly ever found
            thread = Thread(target=searching.search, args=(b"prefix", over.is_set, 0, 4))
            thread.start()
            over.set()
            thread.join(20)
            self.assertFalse(thread.is_alive(), searching.name)

    def test_proofs_of_any_length(self) -> None:
        for zeros in range(3):
            self.check(b"prefix", 1 << 64, zeros)


class Verifying(LanesCase):
    def found(self, verifying: Any, data: Any, ends: list[int], start: int = 0) -> int | None:
        offsets = array("Q", [0, *ends])
        result: int | None = verifying.first_invalid(data, offsets, start, len(ends), 2)
        return result

    def test_a_bad_chat_at_every_place(self) -> None:
        for archive in (THOUSAND.truncated(70), long_texts()):
            chats = chats_of(archive)
            ends = list(accumulate(map(len, chats)))
            for index, end in enumerate(ends):
                data = bytearray(archive.view())
                data[end - 1] ^= 1
                for verifying in LANES:
                    for start in range(min(index, 20) + 1):
                        found = self.found(verifying, data, ends, start)
                        self.assertEqual(found, index, verifying.name)
                    if index + 1 < len(ends):
                        # its MD5 is in the window of the next one
                        self.assertEqual(self.found(verifying, data, ends, index + 1), index + 1)

    def test_several_bad_chats_of_which_the_first_is_told(self) -> None:
        data = bytearray(THOUSAND.view())
        for index in (37, 41, 600):
            data[THOUSAND.offsets[index] + 1] ^= 1
        for verifying in LANES:
            self.assertEqual(self.found(verifying, data, list(THOUSAND.offsets[1:])), 37)

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.integers(0, 255), min_size=1, max_size=50), st.randoms(), st.booleans())
    def test_what_hashlib_finds(self, sizes: list[int], random: Any, breaking: bool) -> None:
        data, ends = bytearray(), []
        for index, size in enumerate(sizes):
            data += bytes([size]) + random.randbytes(size + 16)
            begin = ends[index - 20] if index >= 20 else 0
            data += hashlib.md5(data[begin:], usedforsecurity=False).digest()
            ends.append(len(data))
        if breaking:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        offsets = array("Q", [0, *ends])
        expected = PYTHON.first_invalid(bytes(data), offsets, 0, len(sizes), 0)
        self.assertEqual(expected is not None, breaking)
        for verifying in LANES:
            found = verifying.first_invalid(data, offsets, 0, len(sizes), 0)
            self.assertEqual(found, expected, verifying.name)

    def test_chats_at_any_address(self) -> None:
        archive = THOUSAND.truncated(40)
        for shift in range(64):
            data = memoryview(bytes(shift) + archive.view())[shift:]
            for verifying in LANES:
                self.assertIsNone(self.found(verifying, data, list(archive.offsets[1:41])))

    def test_nothing_is_read_behind_the_chats(self) -> None:
        for height in (1, 5, 21, 40):
            chats = before_a_forbidden_page(bytes(THOUSAND.truncated(height).view()))
            for verifying in LANES:
                self.assertIsNone(self.found(verifying, chats, list(THOUSAND.offsets[1:][:height])))

    def test_chats_that_cannot_be_there_are_not_valid(self) -> None:
        data = bytes(THOUSAND.truncated(1).view())
        size = len(data)
        for ends in ([size, size + 15], [size, size + 100], [size, 1]):
            for verifying in LANES:
                self.assertEqual(self.found(verifying, data, ends), 1)


class Choosing(SynchronousTestCase):
    def test_the_fastest_unless_another_is_wanted(self) -> None:
        for wanted in ("", "fastest", "3"):
            self.assertEqual(choose(wanted).name, kernels()[-1].name)
        self.assertIsInstance(choose("python"), PythonKernel)
        for lanes in LANES:
            self.assertIs(choose(str(lanes.lanes)), lanes)

    def test_what_is_not_there_is_told_of(self) -> None:
        """Once a word that is none, or lanes of another processor, were silently something else."""
        for wanted in ("", "python", *(str(one.lanes) for one in LANES)):
            self.assertEqual(complaint(wanted) == "", bool(wanted or LANES), wanted)
        for wanted in ("3", "pyton", "\x1b[31m"):
            told = complaint(wanted)
            self.assertIn("python", told)
            self.assertIn(kernels()[-1].name, told)
            self.assertTrue(told.isprintable())

    def test_without_the_one_in_c_it_is_said_how_to_get_it(self) -> None:
        self.patch(choice, "_lanes", [])
        self.assertIn("C compiler", complaint(""))
        self.assertEqual(complaint("python"), "")
        self.assertFalse(choose("").parallel)

    def test_the_environment_tells(self) -> None:
        code = "from p2pchat.archive import kernel; print(kernel.name())"
        for wanted in ("python", ""):
            printed = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, kernel.VARIABLE: wanted},
                cwd=Path(p2pchat.__file__).parents[1],
                capture_output=True,
                check=True,
                text=True,
                timeout=60,
            ).stdout
            self.assertEqual(printed.strip(), choose(wanted).name)

    def test_the_rate_is_measured_once(self) -> None:
        self.patch(kernel, "_measured", {})
        for searching in kernels():
            self.patch(kernel, "_kernel", searching)
            # the quickest of three looks takes half a second
            clock = iter((5.0, 6.0, 6.5, 9.0)).__next__
            self.assertEqual(kernel.rate(clock), searching.tries_a_look / 0.5)
            self.assertEqual(kernel.rate(lambda: 1 / 0), searching.tries_a_look / 0.5)

    def test_lanes_that_the_processor_has_not_are_refused(self) -> None:
        if not LANES:
            raise SkipTest("the kernel in C was not built")
        self.assertRaises(ValueError, type(LANES[0]), 5)
