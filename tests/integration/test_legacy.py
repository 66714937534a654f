"""A node and the deployed programs, each as a fake that notes whatever it could not live with."""

from typing import Any

from tests.integration.cases import NetworkCase
from tests.integration.kinds import (
    BlankFearing,
    Echoing,
    FirstLineOnly,
    FloatTimed,
    Impatient,
    OnceConnected,
    Refusing,
    end_at_once,
    ok_then_end,
    ok_then_reject,
)
from tests.integration.legacy import LegacyPeer
from tests.integration.raw import RawLink

PROGRAMS: dict[str, type[LegacyPeer]] = {
    "usual": LegacyPeer,
    "first-line": FirstLineOnly,
    "echoing": Echoing,
    "blank-fearing": BlankFearing,
    "float-timed": FloatTimed,
    "impatient": Impatient,
}
ANSWERS = {
    "ok-then-end": ok_then_end,
    "ok-then-reject": ok_then_reject,
    "end-at-once": end_at_once,
}

#: Often enough that the impatient program hears of us, and that a test need not wait for long.
CONNECTION = {"ping_interval": 1, "reconnect_backoff_base": 1}


class LegacyTests(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        self.node = self.start_ready("alice", connection=CONNECTION)
        self.links: dict[LegacyPeer, RawLink] = {}

    def add(self, peer: LegacyPeer) -> LegacyPeer:
        self.addCleanup(peer.close)
        return peer

    def test_programs_that_we_dial_and_that_dial_us(self) -> None:
        dialled = [self.add(program(f"{name}-out")) for name, program in PROGRAMS.items()]
        dialling = [self.add(program(f"{name}-in")) for name, program in PROGRAMS.items()]
        for peer in dialled:
            peer.register(self.rendezvous)
        self.links = {peer: peer.dial(self.node.port) for peer in dialling}
        self.node.discover(*(peer.peer_id for peer in dialled))
        self.links |= {peer: peer.next_link() for peer in dialled}
        for peers, direction in ((dialled, "out"), (dialling, "in")):
            for peer in peers:
                up = self.node.wait_for("peer_up", peer_id=peer.peer_id)
                self.assert_fields(up, direction=direction, modern=False)
        self.assert_all_talk_and_part()

    def test_answers_to_a_second_link(self) -> None:
        """Each means "already connected", true or not, and none leads to dialling again."""
        port = self.node.port
        connected = [OnceConnected(f"true-{name}", ANSWERS[name], port) for name in ANSWERS]
        refusing = [Refusing(f"untrue-{name}", ANSWERS[name]) for name in ANSWERS]
        for peer in (*connected, *refusing):
            self.add(peer).register(self.rendezvous)
        self.node.discover(*(peer.peer_id for peer in (*connected, *refusing)))
        for peer in (*connected, *refusing):
            peer.next_link().wait_for_end()
        self.links = {peer: peer.own.take(lambda _: True, peer.name) for peer in connected}
        self.assert_all_talk_and_part(pings=3)
        dialled = {peer.name: peer.times_dialled for peer in (*connected, *refusing)}
        for name, times in dialled.items():
            # Who does not serve asks again when a link is lost, and tries once more who refused.
            self.assertIn(
                times, (1, 2) if self.registry and name.startswith("untrue") else (1,), name
            )
        self.assertEqual([peer.violations for peer in refusing], [[], [], []])

    def assert_all_talk_and_part(self, pings: int = 4) -> None:
        """Check every exchange there is, for so many PINGs: silence or redialling would show."""
        self.assert_texts()
        self.assert_publications()
        for link in self.links.values():
            for _ in range(pings):
                link.wait_for("PING")
        self.assertEqual(
            {link["peer_id"]: link["modern"] for link in self.node.data("/conn")},
            {peer.peer_id: False for peer in self.links},
        )
        self.assert_texts()
        for peer in self.links:
            self.assertEqual(self.node.events("peer_down", peer_id=peer.peer_id), [])
        self.assert_goodbye()
        violations = {peer.name: peer.violations for peer in self.links if peer.violations}
        self.assertEqual(violations, {})

    def assert_texts(self) -> None:
        """Send several texts to each at once, and one back."""
        texts = ("one", "dois  três", "四 😀", "x" * 20_000)
        sent = [
            (peer, text, self.node.data(f"/msg {peer.name} {text}")["msg_id"])
            for text in texts
            for peer in self.links
        ]
        for peer, link in self.links.items():
            text = f"from {peer.name}  é😀"
            peer.send_text(link, "alice@CIC", text)
            self.node.wait_for("message", from_=peer.peer_id, text=text, kind="send")
        for peer, text, msg_id in sent:
            self.node.wait_for("delivery", msg_id=msg_id, state="delivered", to=peer.peer_id)
            message = self.links[peer].wait_for("SEND", msg_id=msg_id)
            self.assert_fields(message, dst=peer.peer_id, payload=text, require_ack=True)

    def assert_publications(self) -> None:
        """Publish to all of them; one gets it as a SEND, for it would die of a PUB (2.10)."""
        for target in ("*", "#CIC"):
            published = self.node.data(f"/pub {target} for  {target}")
            self.assertEqual(published["peers"], len(self.links))
            for peer, link in self.links.items():
                if isinstance(peer, FloatTimed):
                    text, dst, kind = f"[{target}] for  {target}", peer.peer_id, "SEND"
                else:
                    text, dst, kind = f"for  {target}", target, "PUB"
                message = link.wait_for(kind, msg_id=published["msg_id"])
                self.assert_fields(message, dst=dst, payload=text, require_ack=False)
        for peer, link in self.links.items():
            for dst, shown in (("*", "*"), ("#CIC", "#CIC"), ("CIC", "#CIC")):
                peer.publish(link, dst, f"{peer.name} to {dst}")
                self.node.wait_for(
                    "message", from_=peer.peer_id, to=shown, text=f"{peer.name} to {dst}"
                )

    def assert_goodbye(self) -> None:
        self.node.ask("/quit")
        for link in self.links.values():
            self.assert_fields(link.wait_for("BYE"), src="alice@CIC")
            link.wait_for_end()
            self.assertEqual(link.kinds()[-1], "BYE")
        self.assertEqual(self.node.wait_for_exit(), 0)

    def assert_fields(self, message: dict[str, Any], **fields: object) -> None:
        self.assertEqual({name: message.get(name) for name in fields}, fields)
