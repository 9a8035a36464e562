"""Filters that the settings no longer have are taken back from the broker's session, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.mqtt.packets import Connack, Suback, Subscribe, Unsuback, Unsubscribe
from gateway.errors import StoreError
from gateway.ingest.link_filters import FilterRows, LinkFilters, Remembered
from gateway.store.store import Store
from tests.gateway.ingest.link_town import Broker, Notebook, Scripted, Town, linked, town
from tests.gateway.ingest.test_link_broker import publish, reading

DUST = "city/dust/+/telemetry"
PARKING = "city/parking/+/telemetry"


async def visit(it: Town, *publishes: tuple[int, str]) -> list[str]:
    """Topics that reach a town which has joined already."""
    await it.until(lambda: it.link.up)
    for port, topic in publishes:
        await publish(port, topic, reading(1))
    frames = await it.settled(1)
    return [frame.topic for frame in frames]


@pytest.mark.peer("mosquitto")
@pytest.mark.parametrize("version", [5, 4])
async def test_a_topic_that_was_taken_out_of_the_settings_arrives_no_more(
    tmp_path: Path, version: int
) -> None:
    notebook = Notebook()
    topics = ["city/parking/PK-1/telemetry", "city/dust/DU-1/telemetry"]
    async with Broker(tmp_path) as broker:
        both = linked(broker.port, version=version, filters=[DUST, PARKING])
        async with town(both, memory=notebook) as first:
            await first.until(lambda: first.link.up)
            await publish(broker.port, topics[0], reading(1))
            assert [frame.topic for frame in await first.settled(1)] == topics[:1]
        one = linked(broker.port, version=version, filters=[DUST])
        async with town(one, known=True, memory=notebook) as second:
            assert await visit(second, *((broker.port, topic) for topic in topics)) == topics[1:]
            assert PARKING not in notebook.known["broker"].filters
            assert second.link.counters.sessions_lost == 0


async def test_it_is_remembered_before_it_is_asked_for_and_until_the_end_is_confirmed() -> None:
    notebook = Notebook()
    async with Scripted() as broker:
        notebook.known["broker"] = Remembered(f"citygate-broker@127.0.0.1:{broker.port}", (PARKING, "old/#"))
        async with town(linked(broker.port, filters=[DUST], watch=False), memory=notebook) as it:
            await broker.accept(Connack(session_present=True))
            assert set(notebook.known["broker"].filters) == {DUST, PARKING, "old/#"}
            ended = await broker.expect(Unsubscribe)
            assert ended.filters == (PARKING, "old/#")
            asked = await broker.expect(Subscribe)
            broker.say(Suback(asked.packet_id, (1,)))
            await it.clock.sleep(0.05)
            assert not it.link.up  # what is gone may still arrive
            broker.say(Unsuback(ended.packet_id, (0x00, 0x11)))
            await it.until(lambda: notebook.known["broker"].filters == (DUST,))


async def test_an_end_that_the_broker_refuses_is_asked_for_again() -> None:
    notebook = Notebook()
    async with Scripted() as broker:
        notebook.known["broker"] = Remembered(f"citygate-broker@127.0.0.1:{broker.port}", (PARKING,))
        settings = linked(broker.port, filters=[DUST], watch=False)
        for code, left in ((0x87, {DUST, PARKING}), (0, {DUST})):
            async with town(settings, memory=notebook) as it:
                await broker.accept(Connack(session_present=True))
                ended = await broker.expect(Unsubscribe)
                asked = await broker.expect(Subscribe)
                broker.say(Unsuback(ended.packet_id, (code,)), Suback(asked.packet_id, (1,)))
                await it.until(lambda: it.link.up)
                await it.until(lambda: set(notebook.known["broker"].filters) == left)  # noqa: B023 - this round's


async def test_a_new_session_has_nothing_to_take_back() -> None:
    notebook = Notebook()
    async with Scripted() as broker:
        notebook.known["broker"] = Remembered(f"citygate-broker@127.0.0.1:{broker.port}", (PARKING,))
        async with town(linked(broker.port, filters=[DUST], watch=False), memory=notebook) as it:
            await broker.accept(Connack())
            asked = await broker.expect(Subscribe)
            broker.say(Suback(asked.packet_id, (1,)))
            await it.until(lambda: notebook.known["broker"].filters == (DUST,))


async def test_a_session_of_another_client_id_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    notebook = Notebook()
    settings = linked(1883, filters=[DUST], watch=False)
    notebook.known["broker"] = Remembered("other@127.0.0.1:1883", (PARKING,))
    filters = LinkFilters(settings, notebook)
    await filters.prepare()
    assert filters.gone == ()
    assert "other@127.0.0.1:1883 is left behind" in caplog.text
    assert notebook.known["broker"] == Remembered("citygate-broker@127.0.0.1:1883", (DUST,))


class Broken(Notebook):
    """Operations that cannot be read, until they can."""

    attempts = 0

    async def load(self, link: str) -> Remembered | None:
        self.attempts += 1
        if self.attempts == 1:
            raise StoreError("disk full")
        return await super().load(link)


async def test_no_connection_before_it_is_known_what_the_session_has() -> None:
    notebook = Broken()
    async with Scripted() as broker, town(linked(broker.port), memory=notebook) as it:
        await broker.accept(Connack())
        assert notebook.attempts == 2
        assert (it.link.counters.failures, it.link.why) == (1, "disk full")


async def test_rows_outlive_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/operations.sqlite"
    async with Store(url) as store:
        await store.migrate()
        rows = FilterRows(store)
        assert await rows.load("broker") is None
        await rows.save("broker", Remembered("me@there:1883", (DUST,)))
        await rows.save("broker", Remembered("me@there:1883", (DUST, PARKING)))
    async with Store(url) as store:
        assert await FilterRows(store).load("broker") == Remembered("me@there:1883", (DUST, PARKING))
