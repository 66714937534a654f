"""The ledger finds whatever is wrong, and nothing else."""

from collections.abc import Iterable, Sequence

from twisted.trial.unittest import SynchronousTestCase

from tests.faults.ledger import Findings, Ledger, Message

TEXTS = ("one", "two", "three", "four")
NOTHING = Findings([], [], [], [], [])


def make_ledger(
    *,
    replied: Iterable[str] = TEXTS,
    delivered: Iterable[str] = TEXTS,
    shown: Sequence[str] = TEXTS,
    kept: Sequence[str] = TEXTS,
    own: Sequence[str] = TEXTS,
) -> Ledger:
    """Make a ledger in which all is well but what is given; a msg_id is the text in capitals."""
    ledger = Ledger()
    for text in TEXTS:
        ledger.enter(text)
    for text in replied:
        ledger.reply(text, {"data": {"msg_id": text.upper()}})
    for text in delivered:
        for state in ("queued", "sent", "delivered"):
            ledger.delivery({"msg_id": text.upper(), "state": state, "reason": ""})
    for text in shown:
        ledger.show(text.upper(), text)
    ledger.close(*([Message(text.upper(), text) for text in texts] for texts in (own, kept)))
    return ledger


class LedgerTests(SynchronousTestCase):
    def assert_found(self, ledger: Ledger, **expected: list[str]) -> None:
        """Check that the findings of each kind begin with these words, and that nothing else is."""
        findings = ledger.findings()._asdict()
        wanted = NOTHING._asdict() | expected
        for kind, lines in wanted.items():
            self.assertEqual(len(findings[kind]), len(lines), findings)
            for line, words in zip(findings[kind], lines, strict=True):
                for word in words.split():
                    self.assertIn(word, line)

    def test_all_is_well(self) -> None:
        ledger = make_ledger()
        self.assert_found(ledger)
        self.assertEqual(ledger.promised, 4)

    def test_what_was_not_promised_may_arrive_or_not(self) -> None:
        three = ("one", "two", "three")
        for arrives in (TEXTS, three):
            ledger = make_ledger(
                replied=three, delivered=three, shown=arrives, kept=arrives, own=arrives
            )
            self.assert_found(ledger)
            self.assertEqual(ledger.promised, 3)

    def test_kept_and_not_shown_before_a_crash(self) -> None:
        self.assert_found(make_ledger(shown=("one", "four")))

    def test_lost_after_a_reply(self) -> None:
        three = ("one", "two", "four")
        ledger = make_ledger(delivered=three, shown=three, kept=three)
        self.assert_found(ledger, lost=["three queued receiver"])

    def test_lost_after_an_event_without_a_reply(self) -> None:
        three = ("one", "two", "four")
        ledger = make_ledger(replied=three, shown=three, kept=three)
        self.assert_found(ledger, lost=["three delivered receiver"])

    def test_lost_by_its_sender(self) -> None:
        ledger = make_ledger(own=("one", "two", "three"))
        self.assert_found(ledger, lost=["four sender"])

    def test_shown_and_then_lost(self) -> None:
        three = ("one", "two", "four")
        ledger = make_ledger(replied=three, delivered=three, kept=three, own=three)
        self.assert_found(ledger, lost=["three shown, not kept"])

    def test_failed(self) -> None:
        three = ("one", "two", "four")
        ledger = make_ledger(delivered=three, shown=three, kept=three)
        ledger.delivery({"msg_id": "THREE", "state": "failed", "reason": "too old"})
        self.assert_found(ledger, lost=["three failed: too old"])

    def test_refused(self) -> None:
        ledger = make_ledger(replied=TEXTS[:3])
        ledger.reply("four", {"data": None, "error": "no room"})
        self.assert_found(ledger, refused=["four no room"])

    def test_doubled(self) -> None:
        twice = ("one", "two", "two", "three", "four")
        for place, where in (("shown", "shown"), ("kept", "kept"), ("own", "sender")):
            ledger = make_ledger(**{place: twice})
            self.assert_found(ledger, doubled=[f"two {where} 2 times"])

    def test_doubled_later_and_by_another_id(self) -> None:
        ledger = make_ledger(shown=())
        for text in (*TEXTS, "two"):
            ledger.show(f"another {text}", text)
        findings = ledger.findings()
        self.assertEqual(findings.doubled, ["two: shown 2 times"])
        self.assertEqual(findings.disordered, [])
        self.assertEqual(len(findings.lost), 5)  # no such message is kept

    def test_disordered(self) -> None:
        other = ("one", "three", "two", "four")
        for place, where in (("shown", "shown"), ("kept", "kept"), ("own", "sender")):
            ledger = make_ledger(**{place: other})
            self.assert_found(ledger, disordered=[f"two {where} behind three"])

    def test_never_entered(self) -> None:
        ledger = make_ledger(kept=(*TEXTS, "five"))
        self.assert_found(ledger, strange=["five kept"])

    def test_another_text_than_the_one_entered(self) -> None:
        ledger = make_ledger(shown=(), kept=())
        ledger.close(
            [Message(text.upper(), text) for text in TEXTS],
            [Message(text.upper(), text.replace("four", "fou")) for text in TEXTS],
        )
        self.assert_found(ledger, lost=["four receiver"], strange=["fou kept"])

    def test_findings_add_up(self) -> None:
        both = Findings(["a"], [], [], [], []) + Findings(["b"], ["c"], [], [], [])
        self.assertEqual(both, Findings(["a", "b"], ["c"], [], [], []))
