"""The shipped actor list and what its models refuse."""

import json
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from services.interventions.actors.reference import Actor, ActorList, Pentahelix, actor_list, actors_by_code
from services.interventions.provenance import Certainty


@pytest.fixture
def document() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files("services.interventions.actors").joinpath("actors.json").read_bytes())
    return content


def of_kind(kind: Pentahelix) -> set[int | None]:
    return {actor.web_kkb_number for actor in actor_list().actors if kind in actor.pentahelix}


class TestShippedList:
    def test_has_the_37_kinds_of_the_predecessor_and_media(self) -> None:
        numbers = [actor.web_kkb_number for actor in actor_list().actors]
        assert numbers == [*range(1, 38), None]
        assert actors_by_code()["media"].web_kkb_number is None

    @pytest.mark.parametrize(
        ("number", "code"),
        [(6, "tni-polri"), (19, "dinas-kesehatan"), (26, "opd-ppkb"), (30, "puskesmas"), (34, "perwakilan-bkkbn")],
    )
    def test_keeps_the_predecessors_number(self, number: int, code: str) -> None:
        assert actors_by_code()[code].web_kkb_number == number

    def test_marks_the_programmes_own_agencies(self) -> None:
        assert {actor.web_kkb_number for actor in actor_list().actors if actor.programme_own} == {26, 34}

    def test_has_a_party_of_the_pentahelix_for_each_kind(self) -> None:
        assert of_kind(Pentahelix.PEMERINTAH) == {*range(1, 9), *range(10, 28), 30, 31, *range(33, 37)}
        assert of_kind(Pentahelix.DUNIA_USAHA) == {9, 29, 31}
        assert of_kind(Pentahelix.AKADEMISI) == {28}
        assert of_kind(Pentahelix.KOMUNITAS) == {32}
        assert of_kind(Pentahelix.MEDIA) == {None}

    def test_leaves_open_what_the_kind_does_not_settle(self) -> None:
        open_ones = {actor.code: actor.pentahelix for actor in actor_list().actors if len(actor.pentahelix) != 1}
        assert open_ones == {
            "rumah-sakit-klinik": (Pentahelix.PEMERINTAH, Pentahelix.DUNIA_USAHA),
            "lainnya": (),
        }

    def test_says_how_sure_it_is(self) -> None:
        assert {actor.pentahelix_certainty for actor in actor_list().actors} == {Certainty.INFERRED}
        assert {a.code for a in actor_list().actors if a.certainty is not Certainty.APP} == {"media"}
        assert {part.of for part in actor_list().provenance} == {"actors", "pentahelix", "programme_own", "media"}

    def test_is_immutable(self) -> None:
        with pytest.raises(ValidationError):
            actor_list().actors[0].name = "other"  # type: ignore[misc]  # the assignment must fail


class TestBrokenList:
    def test_refuses_a_code_twice(self, document: dict[str, Any]) -> None:
        document["actors"][-1]["code"] = "puskesmas"
        with pytest.raises(ValidationError, match="occur twice"):
            ActorList.model_validate(document)

    def test_refuses_a_missing_number(self, document: dict[str, Any]) -> None:
        del document["actors"][3]
        with pytest.raises(ValidationError, match="1 to 37"):
            ActorList.model_validate(document)

    def test_refuses_a_list_without_lainnya(self, document: dict[str, Any]) -> None:
        document["actors"][36]["code"] = "sisanya"
        with pytest.raises(ValidationError, match="lainnya is missing"):
            ActorList.model_validate(document)

    @pytest.mark.parametrize(
        "change", [{"code": "Dinas Kesehatan"}, {"pentahelix": ["swasta"]}, {"unknown": 1}, {"web_kkb_number": 38}]
    )
    def test_refuses_a_malformed_actor(self, document: dict[str, Any], change: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Actor.model_validate(document["actors"][18] | change)
