"""Bytes in any chunks become the same lines."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.ui.lines import LineSplitter


def split(chunks: list[bytes], limit: int) -> list[str | None]:
    """Feed chunks and return all lines."""
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + splitter.end()


class LineTests(SynchronousTestCase):
    def test_lines(self) -> None:
        cases = {
            b"": [],
            b"a": ["a"],
            b"a\n": ["a"],
            b"a\nb": ["a", "b"],
            b"a\r\n\r\n b \r\n": ["a", "", " b "],
            b"\n": [""],
            b"a\rb\n": ["a\rb"],
            b"1234\n": ["1234"],
            b"12345\n6\n": [None, "6"],
            b"123456789": [None],
            b"a\xff\xc3\n": ["a\ufffd\ufffd"],
            "a\u2028\n".encode(): ["a\u2028"],
        }
        for data, expected in cases.items():
            self.assertEqual(split([data], 4), expected, data)

    @given(st.lists(st.binary(max_size=8)), st.integers(1, 10))
    def test_chunks_do_not_matter(self, chunks: list[bytes], limit: int) -> None:
        data = b"".join(chunks)
        once = split([data], limit)
        self.assertEqual(split(chunks, limit), once)
        self.assertEqual(split([bytes([byte]) for byte in data], limit), once)

    @given(st.lists(st.text().filter(lambda text: "\n" not in text and text[-1:] != "\r")))
    def test_lines_come_back(self, lines: list[str]) -> None:
        data = "".join(line + "\n" for line in lines).encode("utf-8", "replace")
        expected = [line.encode("utf-8", "replace").decode() for line in lines]
        self.assertEqual(split([data], 1 << 20), expected)

    def test_a_line_without_end_takes_no_memory(self) -> None:
        splitter = LineSplitter(100)
        for _ in range(1000):
            self.assertEqual(splitter.feed(b"x" * 60), [])
            self.assertLessEqual(len(splitter._start), 100)
        self.assertEqual(splitter.feed(b"\nok\n"), [None, "ok"])
