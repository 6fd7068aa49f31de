"""One message to somebody else's server: what may be connected to, and how long it may take."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.deliveries.lanes import Doors, Room
from gateway.deliveries.schemas import Outcome
from gateway.deliveries.sending import Resolver, Sender, SendingLimits, Sent, trusting
from gateway.webhooks.rules import Address, Destinations
from tests.gateway.webhooks.conftest import OK, Answer, Receiver, Taken, receiving

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
HERE = ipaddress.ip_address("127.0.0.1")


class Names:
    """A resolver that answers what it is told, one answer after the other, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = [[ipaddress.ip_address(one) for one in answer] for answer in answers]

    async def __call__(self, host: str, _port: int) -> Sequence[Address]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@asynccontextmanager
async def sender(
    receiver: Receiver,
    names: Names | Resolver | None = None,
    *,
    context: ssl.SSLContext | None = None,
    allowed: bool = True,
    seconds: float = 30.0,
    answer_bytes: int = 64 * 1024,
) -> AsyncIterator[Sender]:
    destinations = Destinations(
        allow_http=True, ports=frozenset({receiver.port, 443}), networks=(LOOPBACK,) if allowed else ()
    )
    limits = SendingLimits(connect_seconds=seconds, total_seconds=seconds, answer_bytes=answer_bytes)
    one = Sender(destinations, limits, context or ssl.create_default_context(), names or Names(["127.0.0.1"]))
    try:
        yield one
    finally:
        await one.close()


async def answered(receiver: Receiver, answer: Answer, **limits: float) -> Sent:
    place = receiver.place()
    place.answers = lambda _taken: answer
    async with sender(receiver, **limits) as one:  # type: ignore[arg-type]  # the limits
        return await one.send(place.url, {}, b"{}")


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (200, Outcome.DELIVERED),
            (204, Outcome.DELIVERED),
            (400, Outcome.REFUSED),
            (410, Outcome.GONE),
            (500, Outcome.FAILED),
        ],
    )
    async def test_by_status(self, receiver: Receiver, status: int, outcome: Outcome) -> None:
        sent = await answered(receiver, (status, {}, b"" if status == 204 else b"isi"))
        assert (sent.outcome, sent.status) == (outcome, status)
        assert sent.excerpt == (None if outcome is Outcome.DELIVERED else "isi")

    async def test_a_redirect_is_not_followed(self, receiver: Receiver) -> None:
        elsewhere = receiver.place()
        sent = await answered(receiver, (307, {"location": elsewhere.url}, b""))
        assert (sent.outcome, sent.status, elsewhere.taken) == (Outcome.REDIRECTED, 307, [])

    @pytest.mark.parametrize(("asked", "kept"), [("120", 120), ("-1", None), ("Wed, 21 Oct 2015 07:28:00 GMT", None)])
    async def test_retry_after(self, receiver: Receiver, asked: str, kept: int | None) -> None:
        sent = await answered(receiver, (503, {"retry-after": asked}, b""))
        assert sent.retry_after == (None if kept is None else dt.timedelta(seconds=kept))

    async def test_a_huge_answer_is_not_read_to_its_end(self, receiver: Receiver) -> None:
        place = receiver.place()
        place.answers = lambda _taken: (200, {}, b"x" * 20_000_000)
        async with sender(receiver) as one:
            assert (await one.send(place.url, {}, b"{}")).outcome is Outcome.DELIVERED
            assert (await one.send(place.url, {}, b"{}")).outcome is Outcome.DELIVERED

    async def test_one_that_never_answers(self, receiver: Receiver) -> None:
        place, over = receiver.place(), asyncio.Event()

        async def hang(_taken: Taken) -> Answer:
            await over.wait()
            return OK

        place.answers = hang
        async with sender(receiver, seconds=0.5) as one:
            sent = await one.send(place.url, {}, b"{}")
        assert (sent.outcome, sent.status) == (Outcome.TIMEOUT, None)
        over.set()

    async def test_what_is_no_http_and_nobody_there(self) -> None:
        async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(garble, "127.0.0.1", 0)
        receiver = Receiver()
        receiver.port = server.sockets[0].getsockname()[1]
        place = receiver.place()
        async with sender(receiver) as one:
            assert (await one.send(place.url, {}, b"{}")).outcome is Outcome.BROKEN
            server.close()
            assert (await one.send(place.url, {}, b"{}")).outcome is Outcome.UNREACHABLE

    async def test_one_connection_for_several_messages(self) -> None:
        async with receiving() as receiver, sender(receiver) as one:
            place = receiver.place()
            for _ in range(3):
                assert (await one.send(place.url, {"webhook-id": "x"}, b"{}")).outcome is Outcome.DELIVERED
            assert (receiver.connections, len(place.taken)) == (1, 3)
            assert place.taken[0].headers["host"] == f"127.0.0.1:{receiver.port}"


class TestAddresses:
    async def test_a_private_one_is_not_connected_to(self) -> None:
        async with receiving() as receiver, sender(receiver, allowed=False) as one:
            url = receiver.place().url.replace("127.0.0.1", "dalam.example")
            sent = await one.send(url, {}, b"{}")
            assert (sent.outcome, receiver.connections) == (Outcome.BLOCKED, 0)

    async def test_one_private_among_public_ones_is_enough(self) -> None:
        names = Names(["8.8.8.8", "127.0.0.1"])
        async with receiving() as receiver, sender(receiver, names, allowed=False) as one:
            url = receiver.place().url.replace("127.0.0.1", "campur.example")
            assert (await one.send(url, {}, b"{}")).outcome is Outcome.BLOCKED

    async def test_resolved_once_and_connected_to_what_was_checked(self) -> None:
        """DNS rebinding: the second answer would lead elsewhere, but nobody asks for it."""
        names = Names(["127.0.0.1"], ["10.255.255.1"])
        async with receiving() as receiver, sender(receiver, names) as one:
            place = receiver.place()
            sent = await one.send(place.url.replace("127.0.0.1", "berganti.example"), {}, b"{}")
            assert (sent.outcome, names.asked) == (Outcome.DELIVERED, ["berganti.example"])
            assert place.taken[0].headers["host"] == f"berganti.example:{receiver.port}"
            again = await one.send(place.url.replace("127.0.0.1", "berganti.example"), {}, b"{}")
            assert (again.outcome, len(place.taken)) == (Outcome.BLOCKED, 1)

    async def test_the_next_address_where_the_first_does_not_answer(self) -> None:
        names = Names(["127.0.0.2", "127.0.0.1"])  # nobody listens on the first
        async with receiving() as receiver, sender(receiver, names) as one:
            place = receiver.place()
            sent = await one.send(place.url.replace("127.0.0.1", "dua.example"), {}, b"{}")
            assert (sent.outcome, len(place.taken)) == (Outcome.DELIVERED, 1)

    async def test_the_systems_resolver(self, receiver: Receiver) -> None:
        resolver = Resolver()
        async with sender(receiver, resolver) as one:
            place = receiver.place()
            assert (await one.send(place.url.replace("127.0.0.1", "127.1"), {}, b"{}")).outcome is Outcome.DELIVERED
        async with sender(receiver, resolver, allowed=False) as one:
            for written in ("127.1", "2130706433", "0x7f000001"):
                sent = await one.send(place.url.replace("127.0.0.1", written), {}, b"{}")
                assert sent.outcome in {Outcome.BLOCKED, Outcome.UNRESOLVED}, written
        resolver.close()
        assert len(place.taken) == 1


class TestPlaces:
    async def test_a_host_has_few_and_slow_ones_take_none_of_the_others(self) -> None:
        doors, begun, over = Doors(Room(host=2, well=3, unwell=1)), [], asyncio.Event()

        async def attempt(host: str, *, well: bool) -> None:
            async with doors.place(host, well=well):
                begun.append(host)
                await over.wait()

        async with asyncio.TaskGroup() as group:
            for host, well in [("a", True)] * 3 + [("b", False)] * 2 + [("c", True), ("d", True)]:
                group.create_task(attempt(host, well=well))
            for _ in range(20):
                await asyncio.sleep(0)
            assert sorted(begun) == ["a", "a", "b", "c"]
            over.set()
        assert sorted(begun) == ["a", "a", "a", "b", "b", "c", "d"]
        assert doors._hosts == {}


class TestTls:
    async def test_the_name_counts_not_the_address(self, tmp_path: Path) -> None:
        authority, server = certificates(tmp_path, "penerima.example")
        async with receiving(server) as receiver:
            place = receiver.place()
            url = f"https://penerima.example:{receiver.port}/{place.url.rpartition('/')[2]}"
            async with sender(receiver, context=trusting(authority)) as one:
                assert (await one.send(url, {}, b"{}")).outcome is Outcome.DELIVERED
                other = url.replace("penerima.example", "lain.example")
            async with sender(receiver, context=trusting(authority)) as one:
                assert (await one.send(other, {}, b"{}")).outcome is Outcome.TLS
            async with sender(receiver, context=trusting(None)) as one:
                sent = await one.send(url, {}, b"{}")
                assert sent.outcome is Outcome.TLS
                assert "TLS failed" in (sent.reason or "")
            assert len(place.taken) == 1


def certificates(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """An authority's certificate, and a server's context with a certificate of its for a name."""
    now = dt.datetime.now(dt.UTC)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            named("Otoritas Uji"),
            named(subject),
            key.public_key(),
            x509.random_serial_number(),
            now - dt.timedelta(days=1),
            now + dt.timedelta(days=1),
        ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        return builder.sign(authority_key, hashes.SHA256())

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate("Otoritas Uji", authority_key, ca=True).public_bytes(pem))
    (folder / "server.pem").write_bytes(
        certificate(name, key, ca=False).public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "ca.pem", context
