"""Long requests that come again and again on one connection, and whatever else comes between them."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.server import ServerState

from scrimp.asgi.listening import quiet_config
from scrimp.gateway.buffered import Buffered
from scrimp.gateway.inbound import Inbound
from scrimp.gateway.long_requests import LongRequests
from scrimp.gateway.protocol import Allowed, GatewayProtocol
from tests.gateway.doors import ask, door, encoded
from tests.gateway.fixed_answer import fixed_answer, whole
from tests.gateway.test_fields import asked, keyed
from tests.gateway.test_idle import no_app

SIZES = [40_000, 90_000, 200_000, 200_001, 0, 150_000, 300_000, 1_000_000, 70_000, 7]


def test_long_requests_go_up_with_their_own_bodies() -> None:
    bodies = [encoded(ask(chr(97 + number) * size)) for number, size in enumerate(SIZES)]
    calls = [keyed("sk-1", body) for body in bodies]
    calls = [*calls[:8], b"".join(calls[8:]), b"", keyed("sk-1", b"not JSON"), keyed("sk-2", bodies[2])]
    answer = fixed_answer(whole(b"404 Not Found", b"{}"))
    with answer as upstream, door(upstream=upstream.url, serve={"mode": "observe"}) as found:
        statuses = asked(found.gateway.port, calls)
    assert statuses == [404] * len(bodies) + [400, 404]
    assert [sent.partition(b"\r\n\r\n")[2] for sent in upstream.requests] == [*bodies, bodies[2]]


class Client(asyncio.Transport):
    """The gateway's side of a connection, which reads as uvloop does."""

    def __init__(self, protocol: GatewayProtocol, own: socket.socket) -> None:
        super().__init__({"socket": own})
        self.protocol: Any = protocol
        protocol.connection_made(self)

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    async def send(self, data: bytes) -> None:
        """What the client says, in one piece; returns when it was served."""
        if isinstance(self.protocol, LongRequests):
            room = self.protocol.get_buffer(-1)
            room[: len(data)] = data
            self.protocol.buffer_updated(len(data))
        else:
            self.protocol.data_received(data)
        await asyncio.sleep(0.001)

    def write(self, data: Any) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def test_bodies_of_long_requests_are_those_that_came_and_stay_so() -> None:
    sizes = [40_000, 40_000, 50_000, 200_000, 33_000, 5, 0, 60_000, 60_000]
    bodies = [bytes([97 + number]) * size for number, size in enumerate(sizes)]
    served: list[bytes] = []

    async def serve(inbound: Inbound) -> None:
        if inbound.more_body:
            await inbound.come(2**20, 1.0)
        served.append(inbound.read(2**20))
        await inbound.respond(200, [], b"{}")

    async def main() -> Any:
        allowed = Allowed(9_000, 2**20, 2**20, 1.0, 1.0, 1.0)
        config = quiet_config(no_app, keep_alive=1.0)
        made = GatewayProtocol(serve, config, ServerState(), allowed=allowed, buffered=Buffered(2**22))
        with (
            socket.create_server(("127.0.0.1", 0)) as port,
            socket.create_connection(port.getsockname()) as own,
        ):
            line = Client(made, own)
            for number, body in enumerate(bodies):
                data = keyed("sk-1" if number < 7 else "sk-2", body)
                if number == 4:
                    await line.send(data[:20_000])
                    data = data[20_000:]
                await line.send(data)
        return line.protocol

    assert isinstance(asyncio.run(main()), LongRequests)
    assert served == bodies


def test_what_is_not_known_goes_to_the_protocol() -> None:
    told: list[tuple[object, ...]] = []

    class Told:
        """A protocol that keeps what it is told."""

        def __getattr__(self, name: str) -> object:
            return lambda *of: told.append((name, *of))

    room = bytearray(b"0123456789")
    long = LongRequests(lambda room, size: bytes(room[:size]) == b"01", Told(), room)  # type: ignore[arg-type]
    assert long.get_buffer(9) is room
    long.buffer_updated(2)
    long.buffer_updated(4)
    long.eof_received()
    long.pause_writing()
    long.resume_writing()
    long.connection_lost(None)
    ends = [("eof_received",), ("pause_writing",), ("resume_writing",), ("connection_lost", None)]
    assert told == [("data_received", b"0123"), *ends]
