"""A listener to the rendezvous."""


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.found = []
        self.ips = []
        self.notices = []

    def discovered(self, found):
        self.found.append([peer.peer_id for peer in found])
        self.last = list(found)

    def public_ip(self, ip):
        self.ips.append(ip)

    def notice(self, level, text):
        self.notices.append((level, text))
