"""Several processes behind one port: `[serve] workers`.

One supervisor has the port, the ledger's only writer and the alerts; the workers serve the calls.

    fleet.py     the supervisor: starts workers, watches them, begins crashed ones anew, ends with all of them
    member.py    one worker as the supervisor sees it
    dealing.py   connections, dealt out to whoever has the fewest
    clerk.py     the thread that writes the ledger for all of them, and answers
    child.py     the process of a worker
    sharing.py   the supervisor and the other workers as a worker sees them
    carrying.py  a worker's way to the ledger; entries.py is what goes there and comes back
    channel.py   messages over a socket; words.py is what else they say
    board.py     a page of memory that all of them share: who is ready, and who is writing which prefix

Why one writer: SQLite lets processes write in turns and has them sleep in between, so that two gateways on
one ledger are slower than one. What goes to the supervisor costs microseconds, and all share each commit.
"""
