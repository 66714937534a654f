"""The store: what was said and what is to be delivered, on the disk or in memory."""
