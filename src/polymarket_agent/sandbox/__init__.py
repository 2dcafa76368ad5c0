"""A local exchange that speaks the venue's HTTP and websocket protocol on loopback. No money, no venue, no network."""
