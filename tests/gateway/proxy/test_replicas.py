"""Several replicas of a service: who gets a request, who is left out, what is sent again."""

from __future__ import annotations

import asyncio

import pytest

from gateway.metrics import BREAKER, REPLICA_READY, RETRIES, RETRIES_REFUSED
from gateway.proxy.breaker import State
from gateway.proxy.replicas import RetryBudget
from tests.conftest import eventually
from tests.gateway.proxy.scene import OK, Reader, Service, Writer, answering
from tests.gateway.proxy.test_failures import free_port, silent

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\ncontent-length: 4\r\n\r\nbusy"
NOWHERE = "http://127.0.0.1:{}"


async def breaking_off(service: Service, reader: Reader, _writer: Writer) -> None:
    await service.hear(reader)


def named(label: str) -> str:
    return label.removeprefix("http://")


class TestChoosing:
    async def test_all_get_their_share(self, serve, front):
        services = [await serve(answering(OK)) for _ in range(2)]
        door = await front(",".join(one.url for one in services))
        client = await door.connect()
        for _ in range(40):
            assert (await client.ask("GET", "/thing")).status == 200
        assert all(len(one.heard) >= 5 for one in services)

    async def test_who_has_something_to_do_gets_nothing_more(self, serve, front):
        stuck, quick = await serve(silent), await serve(answering(OK))
        door = await front(f"{stuck.url},{quick.url}")
        held = []
        while not stuck.busy.is_set():
            held.append(await door.connect())
            await held[-1].send(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
            await asyncio.sleep(0.02)
        before = len(quick.heard)
        client = await door.connect()
        for _ in range(10):
            assert (await client.ask("GET", "/thing")).status == 200
        assert (len(stuck.heard), len(quick.heard)) == (1, before + 10)

    async def test_one_slow_service_does_not_starve_another(self, serve, front):
        slow, quick = await serve(silent), await serve(answering(OK))
        door = await front({"slow": slow.url, "quick": quick.url}, connections=2, waiting=2, wait_seconds=30)
        for _ in range(4):
            await (await door.connect()).send(b"GET /slow HTTP/1.1\r\nhost: door\r\n\r\n")
        await eventually(lambda: _is(door.pools["slow"].waiting == 2))
        refused = await (await door.connect()).ask("GET", "/slow")
        assert (refused.status, door.calls[-1].failure) == (503, "busy")
        client = await door.connect()
        for _ in range(10):
            assert (await client.ask("GET", "/quick")).status == 200


async def _is(what: bool) -> bool:
    return what


class TestSentAgain:
    async def test_what_could_not_be_delivered_goes_to_another_whatever_it_is(self, serve, front):
        service = await serve(answering(OK))
        away = NOWHERE.format(free_port())
        door = await front(f"{away},{service.url}")
        before = RETRIES.labels("thing", "connect")._value.get()
        client = await door.connect()
        for _ in range(20):
            assert (await client.ask("POST", "/thing", body=b"{}")).status == 200
        assert len(service.heard) == 20
        # the first that met it left it out: having nothing to do it would be chosen for ever
        assert RETRIES.labels("thing", "connect")._value.get() <= before + 1
        shown = {one.labels["replica"]: one.value for one in REPLICA_READY.collect()[0].samples}
        assert (shown[named(away)], shown[named(service.url)]) == (0.0, 1.0)

    @pytest.mark.parametrize("first", [answering(BUSY), breaking_off], ids=["503", "broken off"])
    @pytest.mark.parametrize(
        ("request_line", "headers", "again"),
        [
            (("GET", "/thing"), (), True),
            (("POST", "/thing"), ("idempotency-key: abc",), True),
            (("POST", "/thing"), (), False),
            (("PUT", "/thing"), ("idempotency-key: abc",), False),  # its contract does not speak of one
        ],
    )
    async def test_what_may_have_been_carried_out_only_where_that_changes_nothing(
        self, serve, front, first, request_line, headers, again
    ):
        failing, good = await serve(first), await serve(answering(OK))
        door = await front(f"{failing.url},{good.url}")
        replicas = door.forwarder.services["thing"].all
        replicas[1].pool.outstanding = 1  # so that the failing one is asked first
        answer = await (await door.connect()).ask(
            *request_line, *headers, body=b"" if request_line[0] == "GET" else b"x"
        )
        assert len(failing.heard) == 1
        assert len(good.heard) == int(again)
        assert answer.status == 200 if again else answer.status in {502, 503}

    async def test_not_when_there_is_nobody_else(self, serve, front):
        failing, away = await serve(answering(BUSY)), NOWHERE.format(free_port())
        door = await front(f"{failing.url},{away}")
        door.forwarder.services["thing"].all[1].leave_out()
        answer = await (await door.connect()).ask("GET", "/thing")
        assert (answer.status, answer.body, len(failing.heard)) == (503, b"busy", 1)

    async def test_not_more_often_than_the_budget_allows(self, serve, front):
        services = [await serve(answering(BUSY)) for _ in range(2)]
        door = await front(",".join(one.url for one in services), retry_share=0.1)
        before = RETRIES_REFUSED.labels("thing")._value.get()
        client = await door.connect()
        for _ in range(20):
            assert (await client.ask("GET", "/thing")).status == 503
        # two in reserve, and one of ten
        assert sum(len(one.heard) for one in services) in {23, 24}
        assert RETRIES_REFUSED.labels("thing")._value.get() - before in {16, 17}

    async def test_a_body_on_its_way_is_not_sent_again(self, serve, front):
        failing, good = await serve(answering(BUSY)), await serve(answering(OK))
        door = await front(f"{failing.url},{good.url}")
        door.forwarder.services["thing"].all[1].pool.outstanding = 1
        client = await door.connect()
        await client.send(b"POST /thing HTTP/1.1\r\nhost: door\r\nidempotency-key: abc\r\ncontent-length: 4\r\n\r\nab")
        await asyncio.sleep(0.05)
        await client.send(b"cd")
        assert (await client.answer()).status == 503
        assert good.heard == []

    def test_the_budget_never_exceeds_its_reserve(self):
        budget = RetryBudget(0.1, 3)
        for _ in range(1000):
            budget.earn()
        assert [budget.spend() for _ in range(4)] == [True, True, True, False]


class TestLeftAlone:
    async def test_who_fails_again_and_again_until_he_answers_a_trial(self, serve, front):
        working = False

        async def script(service: Service, reader: Reader, writer: Writer) -> None:
            await service.hear(reader)
            if working:
                writer.write(OK)
                await writer.drain()
                await reader.read()

        service = await serve(script)
        door = await front(service.url)
        client = await door.connect()
        breaker = door.forwarder.services["thing"].all[0].breaker
        for _ in range(5):
            assert (await client.ask("GET", "/thing")).status == 502
        assert breaker.state is State.OPEN
        shown = {one.labels["replica"]: one.value for one in BREAKER.collect()[0].samples}
        assert shown[named(service.url)] == State.OPEN
        refused = await client.ask("GET", "/thing")
        if len(service.heard) == 5:  # unless this machine was so slow that it was the trial already
            assert (refused.status, "retry-after" in refused.headers, door.calls[-1].failure) == (503, True, "open")
        working = True

        async def answered() -> bool:
            return (await client.ask("GET", "/thing")).status == 200

        await eventually(answered)
        assert breaker.state is State.CLOSED

    async def test_a_client_that_hangs_up_says_nothing_against_the_service(self, serve, front):
        service = await serve(silent)
        door = await front(service.url)
        for number in range(6):
            client = await door.connect()
            await client.send(b"GET /thing HTTP/1.1\r\nhost: door\r\n\r\n")
            await eventually(lambda number=number: _is(len(service.heard) == number + 1))
            client.writer.transport.abort()
            await door.until_calls(number + 1)
        assert door.forwarder.services["thing"].all[0].breaker.state is State.CLOSED


class TestWatching:
    async def test_who_says_that_he_is_not_ready_is_left_out_until_he_is(self, serve, front):
        ready = True

        async def script(service: Service, reader: Reader, writer: Writer) -> None:
            while True:
                heard = await service.hear(reader)
                probe = heard.line.startswith("GET /readyz ")
                if probe:
                    service.heard.pop()
                writer.write(BUSY if probe and not ready else OK)
                await writer.drain()

        one, other = await serve(script), await serve(answering(OK))
        door = await front(f"{one.url},{other.url}")
        service = door.forwarder.services["thing"]
        watching = asyncio.create_task(service.watch())
        try:
            await asyncio.sleep(0)
            ready = False
            await eventually(lambda: _is(not service.all[0].ready))
            before = len(one.heard)
            client = await door.connect()
            for _ in range(10):
                assert (await client.ask("GET", "/thing")).status == 200
            assert len(one.heard) == before
            ready = True
            await eventually(lambda: _is(service.all[0].ready))
        finally:
            watching.cancel()

    async def test_where_nobody_is_ready_all_are_asked(self, serve, front):
        services = [await serve(answering(BUSY)) for _ in range(2)]
        door = await front(",".join(one.url for one in services))
        for replica in door.forwarder.services["thing"].all:
            replica.leave_out()
        assert (await (await door.connect()).ask("GET", "/thing")).status == 503
        assert sum(len(one.heard) for one in services) == 1

    async def test_idle_connections_to_who_leaves_are_closed(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url)
        await (await door.connect()).ask("GET", "/thing")
        assert door.pools["thing"].idle == 1
        door.forwarder.services["thing"].all[0].leave_out()
        assert door.pools["thing"].idle == 0
        await asyncio.wait_for(service.gone.wait(), 30)


class TestTimeLeft:
    async def test_the_service_is_told_how_long_somebody_waits(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url, first_byte_seconds=7, total_seconds=100)
        client = await door.connect()
        await client.ask("GET", "/thing", "x-kkb-remaining-ms: 99999999")
        await client.ask("POST", "/thing", body=b"{}")
        for heard in service.heard:
            assert 0 < int(heard.one("x-kkb-remaining-ms")) <= 7000

    async def test_never_more_than_the_whole_exchange_may_take(self, serve, front):
        service = await serve(answering(OK))
        door = await front(service.url, first_byte_seconds=1000, total_seconds=60)
        await (await door.connect()).ask("GET", "/thing")
        assert int(service.heard[0].one("x-kkb-remaining-ms")) <= 60_000
