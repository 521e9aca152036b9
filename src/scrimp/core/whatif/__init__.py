"""What-if levers: what a recorded trace would have cost had something been done otherwise."""
