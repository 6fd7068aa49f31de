"""What makes a ruleset document unfit, and that every problem says where it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from services.scoring.rulesets.document import RulesetInvalid, read_ruleset
from services.scoring.rulesets.inputs import InputKind, fact_inputs
from services.scoring.rulesets.rules import canonical_digest
from tests.conftest import REPOSITORY

RAW: dict[str, Any] = json.loads(files("services.scoring.rulesets").joinpath("web_2021.json").read_bytes())
PLACE = {indicator["code"]: place for place, indicator in enumerate(RAW["indicators"])}


def problems_of(change: Callable[[dict[str, Any]], None]) -> dict[str, str]:
    document = copy.deepcopy(RAW)
    change(document)
    with pytest.raises(RulesetInvalid) as caught:
        read_ruleset(json.dumps(document).encode())
    return {problem.pointer: problem.detail for problem in caught.value.problems}


def indicator(document: dict[str, Any], code: str) -> dict[str, Any]:
    found: dict[str, Any] = document["indicators"][PLACE[code]]
    return found


def bands(code: str, *edges: tuple[int, int | None, int | None]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        indicator(document, code)["bands"] = [{"score": s, "from": low, "to": high} for s, low, high in edges]

    return change


class TestBands:
    def test_a_gap(self) -> None:
        found = problems_of(bands("output_cpr", (1, None, 29), (2, 31, 40), (3, 41, 50), (4, 51, None)))
        assert found == {
            f"/indicators/{PLACE['output_cpr']}/bands/1/from": "Ada celah: nilai 30 sampai 30 tidak masuk pita mana pun"
        }

    def test_an_overlap(self) -> None:
        found = problems_of(bands("output_cpr", (1, None, 30), (2, 30, 40), (3, 41, 50), (4, 51, None)))
        assert list(found) == [f"/indicators/{PLACE['output_cpr']}/bands/1/from"]
        assert "bertumpang tindih" in next(iter(found.values()))

    def test_an_end_that_comes_too_early(self) -> None:
        assert list(problems_of(bands("output_cpr", (1, None, 29), (2, 30, 99)))) == [
            f"/indicators/{PLACE['output_cpr']}/bands/1/to"
        ]
        assert list(problems_of(bands("input_poktan", (1, 0, 0), (2, 1, 4)))) == [
            f"/indicators/{PLACE['input_poktan']}/bands/1/to"
        ]

    def test_a_start_that_comes_too_late(self) -> None:
        found = problems_of(bands("input_poktan", (1, 1, 2), (2, 3, 5)))
        assert list(found) == [f"/indicators/{PLACE['input_poktan']}/bands/0/from"]

    def test_a_band_the_wrong_way_round(self) -> None:
        assert f"/indicators/{PLACE['input_sarana']}/bands/0" in problems_of(
            bands("input_sarana", (1, 0, -1), (2, 0, 2))
        )

    def test_an_open_end_in_the_middle(self) -> None:
        found = problems_of(bands("output_cpr", (1, None, None), (2, 30, None)))
        assert list(found) == [f"/indicators/{PLACE['output_cpr']}/bands/1"]

    def test_scores_against_the_direction(self) -> None:
        found = problems_of(bands("output_unmet", (1, None, 6), (2, 7, None)))
        assert list(found) == [f"/indicators/{PLACE['output_unmet']}/bands/1/score"]

    def test_an_edge_finer_than_the_rounding(self) -> None:
        def change(document: dict[str, Any]) -> None:
            indicator(document, "output_unmet")["bands"][0]["to"] = "6.1"

        assert list(problems_of(change)) == [f"/indicators/{PLACE['output_unmet']}/bands"]


class TestReferences:
    def test_an_unknown_input(self) -> None:
        def change(document: dict[str, Any]) -> None:
            indicator(document, "input_sarana")["formula"]["of"][0]["input"] = "profile.library"

        found = problems_of(change)
        assert found[f"/indicators/{PLACE['input_sarana']}/formula"] == "Masukan tidak dikenal: profile.library"

    def test_an_input_that_is_labelled_but_does_not_exist(self) -> None:
        def change(document: dict[str, Any]) -> None:
            document["inputs"].append({"path": "profile.library", "labels": {"id": "x", "en": "x"}, "asked": True})

        assert f"/inputs/{len(RAW['inputs'])}/path" in problems_of(change)

    def test_a_count_used_as_an_answer(self) -> None:
        def change(document: dict[str, Any]) -> None:
            del indicator(document, "input_pokja")["formula"]["of"][0]["above"]

        assert list(problems_of(change)) == [f"/indicators/{PLACE['input_pokja']}/formula"]

    def test_an_unknown_dimension(self) -> None:
        def change(document: dict[str, Any]) -> None:
            indicator(document, "input_pkb")["dimension"] = "outcome"

        assert list(problems_of(change)) == [f"/indicators/{PLACE['input_pkb']}/dimension"]

    def test_two_indicators_of_one_name(self) -> None:
        def change(document: dict[str, Any]) -> None:
            indicator(document, "input_pkb")["code"] = "input_sarana"

        assert problems_of(change) == {"/indicators": "Nama dipakai dua kali: input_sarana"}

    def test_choices_that_differ_from_the_form(self) -> None:
        def change(document: dict[str, Any]) -> None:
            label = next(label for label in document["inputs"] if label["path"] == "profile.data_use")
            del label["choices"]["other"]

        assert next(iter(problems_of(change))).endswith("/choices")


class TestClassMatrix:
    def test_an_uncovered_combination(self) -> None:
        found = problems_of(lambda document: document["class_matrix"].pop(5))
        assert found == {"/class_matrix": "Kombinasi belum diberi kelas: input, output"}

    def test_a_combination_classified_twice(self) -> None:
        def change(document: dict[str, Any]) -> None:
            document["class_matrix"].append({"met": ["output", "input"], "class": "dasar"})

        assert list(problems_of(change)) == ["/class_matrix/8/met"]

    def test_an_unknown_dimension(self) -> None:
        def change(document: dict[str, Any]) -> None:
            document["class_matrix"].append({"met": ["outcome"], "class": "dasar"})

        assert problems_of(change) == {"/class_matrix/8/met": "Dimensi tidak dikenal: outcome"}

    def test_a_class_nothing_leads_to(self) -> None:
        def change(document: dict[str, Any]) -> None:
            document["class_matrix"][4]["class"] = "mandiri"

        assert problems_of(change) == {"/class_matrix": "Kelas berkembang tidak pernah tercapai"}


class TestShape:
    def test_an_unknown_field(self) -> None:
        assert list(problems_of(lambda document: document.update(colour="green"))) == ["/colour"]

    def test_an_unknown_operation(self) -> None:
        def change(document: dict[str, Any]) -> None:
            indicator(document, "output_cpr")["formula"]["op"] = "median"

        assert list(problems_of(change)) == [f"/indicators/{PLACE['output_cpr']}/formula"]

    @pytest.mark.parametrize("policy", ["numerator_missing", "denominator_missing", "denominator_zero"])
    def test_a_division_without_missing_value_policy(self, policy: str) -> None:
        def change(document: dict[str, Any]) -> None:
            del indicator(document, "output_cpr")["formula"][policy]

        assert list(problems_of(change)) == [f"/indicators/{PLACE['output_cpr']}/formula/{policy}"]

    def test_a_number_where_a_text_belongs_is_not_converted(self) -> None:
        assert list(problems_of(lambda document: document.update(version="1"))) == ["/version"]

    def test_no_json(self) -> None:
        with pytest.raises(RulesetInvalid):
            read_ruleset(b"{")


class TestWeb2021:
    def test_it_says_how_sure_its_legal_basis_is(self) -> None:
        ruleset = read_ruleset(json.dumps(RAW).encode())
        assert ruleset.legal_basis.text.en == "implemented by Web Kampung KB 2021; legal annex not sighted"
        assert ruleset.status == "published"

    def test_what_is_published_is_the_file(self) -> None:
        ruleset = read_ruleset(json.dumps(RAW).encode())
        assert ruleset.as_json() == RAW
        assert ruleset.digest == canonical_digest(RAW)

    def test_the_digest_does_not_depend_on_the_order_of_keys(self) -> None:
        shuffled = dict(reversed(RAW.items()))
        assert read_ruleset(json.dumps(shuffled).encode()).digest == canonical_digest(RAW)

    def test_the_digest_changes_with_any_number(self) -> None:
        document = copy.deepcopy(RAW)
        document["indicators"][0]["weight"] = "2"
        assert read_ruleset(json.dumps(document).encode()).digest != canonical_digest(RAW)


def test_inputs_are_read_off_the_fact_models() -> None:
    known = fact_inputs()
    assert known["profile.pokja"].kind is InputKind.ANSWER
    assert known["profile.pokja_members"].kind is InputKind.COUNT
    assert known["profile.funding_sources"].choices[0] == "apbn"
    assert known["family_planning.methods.iud"].kind is InputKind.COUNT
    assert "population.age_bands" not in known


class TestSchema:
    """What is published in contracts/ accepts what ships, and refuses what has another shape."""

    @pytest.fixture
    def schema(self) -> jsonschema.Draft202012Validator:
        written = json.loads((REPOSITORY / "contracts/ruleset.schema.json").read_bytes())
        jsonschema.Draft202012Validator.check_schema(written)
        return jsonschema.Draft202012Validator(written)

    def test_every_ruleset_that_ships_fits(self, schema: jsonschema.Draft202012Validator) -> None:
        found = [one for one in files("services.scoring.rulesets").iterdir() if one.name.endswith(".json")]
        assert len(found) >= 2
        for one in found:
            assert list(schema.iter_errors(json.loads(one.read_bytes()))) == [], one.name

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            (["status"], "valid"),
            (["indicators", 0, "when_missing"], None),
            (["indicators", 0, "formula", "op"], "python"),
            (["indicators", 0, "bands"], []),
            (["dimensions", 0, "threshold"], True),
            (["unknown"], 1),
        ],
    )
    def test_another_shape_does_not(
        self, schema: jsonschema.Draft202012Validator, path: list[str | int], value: Any
    ) -> None:
        document = copy.deepcopy(RAW)
        inner: Any = document
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        assert list(schema.iter_errors(document)) != []
        with pytest.raises(RulesetInvalid):
            read_ruleset(json.dumps(document).encode())
