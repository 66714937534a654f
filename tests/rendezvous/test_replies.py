"""Replies are what json.dumps writes."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.replies import Listed

peers = st.builds(
    Listed,
    st.ip_addresses().map(str),
    st.integers(1, 65535),
    st.text(max_size=10),
    st.text(max_size=10),
    st.integers(1, 86400),
    st.integers(0, 86400),
)


def as_json_writes_it(value):
    return json.dumps(value).encode() + b"\n"


class ReplyTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(st.lists(peers, max_size=5))
    def test_a_listing_is_written_as_json_does(self, listed):
        entries = [
            {
                "ip": peer.ip,
                "port": peer.port,
                "name": peer.name,
                "namespace": peer.namespace,
                "ttl": peer.ttl,
                "expires_in": peer.expires_in,
            }
            for peer in listed
        ]
        expected = as_json_writes_it({"status": "OK", "peers": entries})
        self.assertEqual(replies.listing(listed), expected)

    @settings(deadline=None)
    @given(st.lists(peers, max_size=5))
    def test_templates_that_are_filled_are_the_listing(self, listed):
        templates = [
            replies.template(peer.ip, peer.port, peer.name, peer.namespace, peer.ttl)
            for peer in listed
        ]
        filled = replies.filled(b", ".join(templates), tuple(peer.expires_in for peer in listed))
        entries = [filled] if listed else []
        self.assertEqual(replies.listing_of(entries), replies.listing(listed))

    def test_a_percent_sign_stands_for_itself(self):
        listed = Listed("fe80::1%eth0", 1, "%d", "100%", 60, 59)
        template = replies.template("fe80::1%eth0", 1, "%d", "100%", 60)
        entry = replies.filled(template, (59,))
        self.assertEqual(replies.listing_of([entry]), replies.listing([listed]))

    @settings(deadline=None)
    @given(st.text())
    def test_an_error_is_written_as_json_does(self, message):
        expected = as_json_writes_it({"status": "ERROR", "message": message})
        self.assertEqual(replies.error(message), expected)
