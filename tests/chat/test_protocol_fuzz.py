"""A link that reads anything in any pieces: it never raises, keeps little, and lives or closes."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.chat.codec import MAX_LINE, encode
from p2pchat.chat.link import Ending
from p2pchat.chat.session import Role
from tests.chat.bare import Bare, hello, hello_ok, talking
from tests.chat.strategies import chunked, messages, mutated, objects

junk = st.one_of(
    st.binary(max_size=80),
    objects(),
    messages.map(encode),
    messages.map(encode).flatmap(mutated),
    st.sampled_from([b"\n", b"\r\n", b"x" * (MAX_LINE + 1), b"[" * 3000]),
)
streams = st.lists(junk, max_size=12).map(b"\n".join).flatmap(chunked)


class Fuzz(SynchronousTestCase):
    def feed(self, bare: Bare, chunks: list[bytes]) -> None:
        for chunk in chunks:
            bare.reads(chunk)
            self.assertLessEqual(len(bare.link._buffer), MAX_LINE)
            bare.run(0.05)

    def lives_or_closes(self, bare: Bare) -> None:
        """Check that the end, if there is one, comes soon and once, and leaves nothing behind."""
        bare.run(40.0)
        if not bare.owner.endings:
            self.assertTrue(bare.link.talking)
            bare.socket.lose()
        self.assertEqual(len(bare.owner.endings), 1)
        self.assertEqual(bare.clock.getDelayedCalls(), [])

    @settings(deadline=None, max_examples=60)
    @given(st.sampled_from(Role), streams)
    def test_before_the_handshake(self, role: Role, chunks: list[bytes]) -> None:
        bare = Bare(role)
        self.feed(bare, chunks)
        self.lives_or_closes(bare)

    @settings(deadline=None, max_examples=60)
    @given(st.booleans(), streams)
    def test_behind_the_handshake(self, modern: bool, chunks: list[bytes]) -> None:
        bare = talking(modern=modern)
        self.feed(bare, chunks)
        self.lives_or_closes(bare)

    @settings(deadline=None, max_examples=100)
    @given(st.booleans(), streams)
    def test_while_leaving(self, refused: bool, chunks: list[bytes]) -> None:
        bare = Bare(Role.DIALLER, refuses=refused)
        bare.receives(hello_ok())
        if not refused:
            bare.link.leave(Ending.WE_LEFT, "leaving")
        self.feed(bare, chunks)
        bare.run(3.0)
        self.assertEqual(len(bare.owner.endings), 1)
        self.assertEqual(bare.clock.getDelayedCalls(), [])

    @settings(deadline=None, max_examples=100)
    @given(streams)
    def test_when_the_other_side_reads_nothing(self, chunks: list[bytes]) -> None:
        bare = talking(modern=True)
        bare.socket.stuck = True
        self.feed(bare, chunks)
        bare.run(95.0)
        self.assertEqual(len(bare.owner.endings), 1)
        self.assertEqual(bare.clock.getDelayedCalls(), [])

    @settings(deadline=None, max_examples=100)
    @given(st.lists(messages.map(encode), max_size=8).map(b"".join).flatmap(chunked))
    def test_pieces_make_no_difference(self, chunks: list[bytes]) -> None:
        whole, pieces = Bare(), Bare()
        introduction = [hello(agent="p2pchat/9")]
        for bare in (whole, pieces):
            bare.receives(*introduction)
        whole.reads(b"".join(chunks))
        for chunk in chunks:
            pieces.reads(chunk)
        for bare in (whole, pieces):
            bare.run(0.1)
        self.assertEqual(whole.owner.talk, pieces.owner.talk)
        self.assertEqual(whole.owner.endings, pieces.owner.endings)
