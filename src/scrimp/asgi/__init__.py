"""Raw ASGI, as the gateway and the emulator both need it."""
