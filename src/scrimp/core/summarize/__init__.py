"""Old turns as one message: what they oblige to, how it is written down, and whether it holds."""
