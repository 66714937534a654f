"""Finding peers through a rendezvous server, and being one (docs/protocols.md, section 1)."""
