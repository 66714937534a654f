"""Which messages of a peer we have taken already (docs/protocols.md, 2.5)."""


class Seen:
    """Remembers at least the newest `capacity` ids, and at most twice as many.

    Two generations of ids make both asking and forgetting cheap: when the young one is full it
    becomes the old one, and what was old is forgotten. Only hashes are kept, so that long ids cost
    no more than short ones; Python's are keyed, so nobody can make two ids collide.
    """

    __slots__ = ("_capacity", "_old", "_young")

    def __init__(self, capacity: int = 4000) -> None:
        self._capacity = capacity
        self._young: set[int] = set()
        self._old: set[int] = set()

    def add(self, msg_id: str) -> bool:
        """Note an id; tell whether it is new."""
        key = hash(msg_id)
        if key in self._young or key in self._old:
            return False
        if len(self._young) >= self._capacity:
            self._old = self._young
            self._young = set()
        self._young.add(key)
        return True
