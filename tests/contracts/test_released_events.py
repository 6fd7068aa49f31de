"""Events of every released version are still read; what is broken or newer is refused whole."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from contracts.events import BY_TYPE, Event, UndecodableEvent, decode
from contracts.examples import example
from tests.contracts.released_events import FILES, FOLDER, SUMS, digest, golden
from tests.documented import READING

PREFIX = "id.kampungkb."
MAPS = {"scores", "indexes", "reasons"}
"""Members whose keys are data."""
Path = tuple[str | int, ...]


def wire(said: Any) -> bytes:
    return json.dumps(said).encode()


def places(said: Any, here: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a document and where it stands."""
    yield here, said
    inner = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    for key, value in inner:
        yield from places(value, (*here, key))


def at(said: Any, path: Path) -> Any:
    for key in path:
        said = said[key]
    return said


def required(value: Any, here: Path = ()) -> Iterator[Path]:
    """Where a decoded event's required fields stand on the wire."""
    if isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from required(item, (*here, number))
    if not isinstance(value, BaseModel):
        return
    for name, field in type(value).model_fields.items():
        if field.is_required():
            yield (*here, name)
        yield from required(getattr(value, name), (*here, name))


class TestFiles:
    def test_every_event_has_one(self) -> None:
        assert {kind.removeprefix(PREFIX) for kind in BY_TYPE} <= set(FILES)

    def test_every_released_version_is_still_known(self) -> None:
        assert {PREFIX + name for name in FILES} <= set(BY_TYPE)

    def test_none_was_changed_or_deleted(self) -> None:
        assert {f"{name}.json": digest(name) for name in FILES} == SUMS, f"{FOLDER} is frozen: add files, change none"


@pytest.mark.parametrize("name", FILES)
class TestReleased:
    def test_is_read_into_exactly_what_it_says(self, name: str) -> None:
        said = golden(name)
        event = decode(wire(said))
        assert type(event) is BY_TYPE[PREFIX + name]
        read = event.model_dump(mode="json")
        for path, value in places(said):
            if not isinstance(value, dict | list):
                assert at(read, path) == value, path
        for path, value in places(said):
            if isinstance(value, list):
                assert len(at(read, path)) == len(value), path

    def test_what_it_does_not_say_is_not_reported(self, name: str) -> None:
        said = golden(name)
        said_paths = {path for path, _ in places(said)}
        for path, value in places(decode(wire(said)).model_dump(mode="json")):
            if path not in said_paths and not isinstance(value, dict | list):
                assert value is None, f"{path}: a field added to a released version must be optional and unknown"

    def test_fields_added_later_are_ignored_wherever_they_stand(self, name: str) -> None:
        said = golden(name)
        newer = copy.deepcopy(said)
        objects = [path for path, value in places(said) if isinstance(value, dict) and not MAPS & set(path)]
        for path in objects:
            at(newer, path)["added_later"] = {"deep": [1, "two"]}
        assert len(objects) > 2
        assert decode(wire(newer)) == decode(wire(said))

    def test_a_missing_required_field_is_refused_whole(self, name: str) -> None:
        paths = [path for path in required(decode(wire(golden(name)))) if at(golden(name), path[:-1]) is not None]
        assert {("id",), ("source",), ("subject",), ("time",), ("data",)} <= set(paths)
        for path in [*paths, ("specversion",), ("type",)]:
            said = golden(name)
            del at(said, path[:-1])[path[-1]]
            with pytest.raises(UndecodableEvent):
                decode(wire(said))

    def test_a_wrong_type_is_refused_whole(self, name: str) -> None:
        for path, value in places(golden(name)):
            if not path or path == ("traceparent",):
                continue
            wrong: list[Any] = [["x"]] if isinstance(value, dict) else [{"x": 1}]
            if isinstance(value, int):
                wrong += [str(value), value + 0.5]
            if isinstance(value, str):
                wrong += [5]
            for other in wrong:
                said = golden(name)
                at(said, path[:-1])[path[-1]] = other
                with pytest.raises(UndecodableEvent):
                    decode(wire(said))

    def test_a_newer_version_is_refused_with_a_reason_that_says_what_to_do(self, name: str) -> None:
        said, bare = golden(name), name.rpartition(".")[0]
        said["type"] = f"{PREFIX}{bare}.v7"
        read = ", ".join(one.rpartition(".")[2] for one in FILES if one.rpartition(".")[0] == bare)
        with pytest.raises(UndecodableEvent) as refused:
            decode(wire(said))
        assert str(refused.value) == (
            f"unknown version of an event: '{said['type']}'; this release reads {read}: "
            "requeue it after this service has been upgraded"
        )

    def test_what_we_write_today_is_read_again(self, name: str) -> None:
        event: Event = example(BY_TYPE[PREFIX + name])
        assert decode(event.model_dump_json().encode()) == event


def test_another_specversion_is_refused() -> None:
    said = golden("registry.village-registered.v1") | {"specversion": "0.3"}
    with pytest.raises(UndecodableEvent, match="not a CloudEvent"):
        decode(wire(said))


def test_an_event_nobody_knows_is_refused() -> None:
    said = golden("registry.village-registered.v1") | {"type": "id.kampungkb.registry.village-dreamt-of.v1"}
    with pytest.raises(UndecodableEvent, match="unknown event type"):
        decode(wire(said))


@pytest.mark.parametrize(
    ("version", "village_class", "missing"), [("v1", "berkembang", set()), ("v2", None, {"output_cpr"})]
)
def test_both_versions_of_a_classification_are_read_as_documented(
    version: str, village_class: str | None, missing: set[str]
) -> None:
    read: dict[str, Any] = {"event": golden(f"scoring.village-classified.{version}")}
    exec(READING, read)  # noqa: S102 - ours, out of the documentation
    assert (read["village_class"], set(read["why"])) == (village_class, missing)


def test_both_versions_of_a_classification_are_of_one_entity() -> None:
    entities = {decode(wire(golden(f"scoring.village-classified.{version}"))).entity for version in ("v1", "v2")}
    assert entities == {"assessment/01980000-0000-7000-8000-000000000001"}
