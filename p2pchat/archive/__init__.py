"""The replicated archive: a public list of chats, mined and verified (docs/protocols.md, 3)."""
