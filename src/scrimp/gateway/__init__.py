"""The gateway: every lever for any client, in any language, by one base URL."""
