"""The invariants about messages and publications notice when they do not hold."""

from operator import itemgetter
from typing import Any

from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.own import OwnChats
from p2pchat.chat.keepalive import KeepAlive
from p2pchat.chat.messages import Pub
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.chat.receiving import Receiving
from p2pchat.chat.sending import Sending
from p2pchat.errors import RequestError
from p2pchat.events import DeliveryChanged
from p2pchat.store.notebook import Notebook
from tests.integration import rules
from tests.simulation.sabotage import QUIET_LIFE, SabotageCase, plan_of
from tests.simulation.world.deliveries import Deliveries
from tests.simulation.world.deployed import Deployed
from tests.simulation.world.inhabitant import START, Inhabitant
from tests.simulation.world.running import Outcome, run_plan


class DeliveryTests(SabotageCase):
    """What a node tells of its messages."""

    def tell(self, change: Any) -> None:
        """Have nodes tell what `change` makes of each end of a delivery, a list."""
        tell = Sending._report_end

        def changed(sending: Sending, msg_id: str, peer: Any, state: Any, reason: str = "") -> None:
            for wrong in change(state):
                tell(sending, msg_id, peer, wrong, reason)

        self.patch(Sending, "_report_end", changed)

    def test_end_that_is_not_told(self) -> None:
        self.tell(lambda state: [] if state == "delivered" else [state])
        self.assertEqual(self.live().violated(), {"every_end_was_told"})

    def test_delivered_and_told_to_have_failed(self) -> None:
        self.tell(lambda state: ["failed" if state == "delivered" else state])
        self.assertEqual(self.live().violated(), {"every_end_was_told"})

    def test_end_that_is_told_three_times(self) -> None:
        self.tell(lambda state: [state] * 3 if state == "delivered" else [state])
        self.assertEqual(self.live().violated(), {"is_told_in_order"})

    def test_failed_behind_delivered(self) -> None:
        self.tell(lambda state: [state, "failed"] if state == "delivered" else [state])
        self.assertIn("is_told_in_order", self.live().violated())

    def test_accepted_and_never_told(self) -> None:
        self.tell(lambda state: [])
        self.assertIn("every_end_was_told", self.live().violated())

    def test_end_that_is_not_stored(self) -> None:
        self.patch(Notebook, "settled", lambda *_: True)
        self.assertIn("every_end_was_told", self.live().violated())

    def test_stored_and_not_shown(self) -> None:
        """Though the receiver crashed before: what it stores from then on it has to show."""
        shown = []

        def show_no_more(receiving: Receiving, taken: Any) -> None:
            shown.append(taken)
            if len(shown) <= 6:
                receiving._report(receiving._event_of(*taken))

        self.patch(Receiving, "_show", show_no_more)
        more = ((20, "crash", 2), (21, "start", 2), (28, "say", 1, 2, 1))
        self.assertIn("all_accepted_has_arrived", self.live(*more).violated())

    def test_what_a_crash_keeps_from_being_shown_is_excused(self) -> None:
        """It is stored, unread, when the process ends."""
        self.patch(Receiving, "_show", lambda *_: None)
        outcome = self.live((10.5, "crash", 2), (11, "start", 2))
        waived = [v for v in outcome.violations if v.name == "all_accepted_has_arrived"]
        self.assertFalse([v for v in waived if "n1 to n2" in v.what and v.time < 60], waived)


class ToldTests(SynchronousTestCase):
    """What may be told in which order, over several lives."""

    def setUp(self) -> None:
        self.told = Deliveries()
        self.told.begin()

    def tell(self, state: Any) -> bool:
        event = DeliveryChanged(time=START, msg_id="1", to="n2@CIC", state=state)
        allowed = self.told.allows(event)
        self.told.note(event)
        return allowed

    def test_from_queued_to_delivered(self) -> None:
        self.assertEqual(
            [self.tell(state) for state in ("queued", "sent", "delivered")], [True] * 3
        )
        self.assertFalse(self.tell("delivered"))

    def test_again_behind_a_crash_alone(self) -> None:
        for state in ("queued", "sent", "delivered"):
            self.tell(state)
        self.told.begin()
        self.assertFalse(self.tell("delivered"))
        self.told.forgive()
        self.told.begin()
        self.assertTrue(self.tell("sent"))
        self.assertTrue(self.tell("delivered"))

    def test_never_queued(self) -> None:
        self.assertFalse(self.tell("delivered"))

    def test_late_confirmation(self) -> None:
        told = [self.tell(state) for state in ("queued", "sent", "failed", "delivered")]
        self.assertEqual(told, [True] * 4)


class PublicationTests(SabotageCase):
    """What is published."""

    #: When all three are linked.
    PUBLISH = (25, "publish", 1, "*")

    def test_publication_that_a_link_loses(self) -> None:
        publish = Sending.publish

        def lose(sending: Sending, target: str, peers: Any, text: str) -> Any:
            return publish(sending, target, peers[1:], text)

        self.patch(Sending, "publish", lose)
        expected = {"all_publications_have_arrived", "the_last_words_arrive"}
        self.assertEqual(self.live(self.PUBLISH).violated(), expected)

    def test_loss_is_noticed_before_the_end(self) -> None:
        received = Receiving.received

        def lose(receiving: Receiving, peer: Any, link: Any, messages: Any) -> None:
            received(receiving, peer, link, [m for m in messages if type(m) is not Pub])

        self.patch(Receiving, "received", lose)
        self.assertIn("publications_arrive", self.live(self.PUBLISH, (160, "heal")).violated())

    def test_publication_that_is_shown_twice(self) -> None:
        self.show_again(lambda event: event)
        self.assertIn("is_shown_once", self.live(self.PUBLISH).violated())

    def test_publication_of_somebody_else(self) -> None:
        self.show_again(lambda event: structs.replace(event, source="n3@CIC", msg_id="another"))
        self.assertIn("is_shown_under_its_sender", self.live(self.PUBLISH).violated())

    def show_again(self, change: Any) -> None:
        """Have each publication shown a second time, changed."""
        show = Receiving._show

        def again(receiving: Receiving, taken: Any) -> None:
            show(receiving, taken)
            event = receiving._event_of(*taken)
            if event.kind == "pub":
                receiving._report(change(event))

        self.patch(Receiving, "_show", again)


class DeployedTests(SabotageCase):
    """What other programs are sent, and what is told of it."""

    def talk_to(self, kind: str) -> set[str]:
        steps = ((1, "enter", kind, 0), (16, "tell", 1, 0, 2), (25, "publish", 1, "*"))
        return self.live(*steps).violated()

    def live(self, *steps: Any, tamper: Any = None) -> Outcome:
        ordered = sorted((*QUIET_LIFE, *steps), key=itemgetter(0))
        return run_plan(plan_of(*ordered), tamper=tamper)

    def test_publication_to_the_program_that_dies_of_it(self) -> None:
        self.patch(ChatProtocol, "_learn_from", lambda link, _: link._outbound.learn())
        self.assertIn("deployed_programs_live", self.talk_to("float-timed"))

    def test_line_that_the_rules_do_not_allow(self) -> None:
        self.patch(rules, "_FIELDS", {**rules._FIELDS, "PING": {"msg_id": "no uuid"}})
        self.assertIn("deployed_programs_live", self.talk_to("judging"))

    def test_delivered_and_never_sent(self) -> None:
        put = Outbox.add

        def settle(outbox: Outbox, letter: Any) -> None:
            put(outbox, letter)
            if letter.peer == "x0@CIC":
                outbox.withdraw(letter.msg_id)

        self.patch(Outbox, "add", settle)
        self.assertIn("others_get_what_is_told", self.talk_to("judging"))

    def test_sent_too_often(self) -> None:
        take = Deployed.take

        def take_many(link: Deployed, message: Any) -> None:
            for _ in range(5):
                take(link, message)

        self.patch(Deployed, "take", take_many)
        self.assertIn("others_get_what_is_told", self.talk_to("judging"))


class LastWordsTests(SabotageCase):
    """What is said when all is mended has to arrive."""

    def test_message_that_is_refused(self) -> None:
        def refuse_later(node: Inhabitant) -> None:
            node.host.callLater(40, setattr, node.node._chat._router.sending, "send", refuse)

        outcome = self.live(tamper=refuse_later)
        self.assertEqual(outcome.violated(), {"the_last_words_arrive"})

    def test_chat_that_nobody_confirms(self) -> None:
        self.patch(OwnChats, "confirmed", lambda *_: [])
        self.assertEqual(self.live().violated(), {"the_last_words_arrive"})

    def test_link_that_nobody_finds_dead(self) -> None:
        self.patch(KeepAlive, "dead", False)
        everything = [(29.9, "forget", which / 20) for which in range(20)]
        self.assertIn("no_link_is_dead", self.live(*everything).violated())


async def refuse(*_: object) -> str:
    """Take no message."""
    raise RequestError("not today")
