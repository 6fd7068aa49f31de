"""What makes a ruleset document unfit, and that every problem says where it is."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.rulesets.checks import read_ruleset
from services.scoring.rulesets.document import RulesetInvalid
from services.scoring.rulesets.inputs import InputKind, fact_inputs
from services.scoring.rulesets.rules import ScoreRange, canonical_digest, index_range
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


def changing(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put a value at a place of web-2021, given as a JSON pointer."""

    def change(document: dict[str, Any]) -> None:
        *way, name = path[1:].split("/")
        inner: Any = document
        for part in way:
            inner = inner[int(part) if isinstance(inner, list) else part]
        inner[name] = value

    return change


class TestReach:
    """What no village can reach, though every reference and band is right."""

    def test_a_threshold_above_the_highest_index_and_the_classes_behind_it(self) -> None:
        found = problems_of(changing("/dimensions/0/threshold", "3.61"))
        assert (
            found["/dimensions/0/threshold"] == "Ambang 3,61 tidak pernah tercapai: indeks tertinggi yang mungkin 3,60"
        )
        assert found["/class_matrix"].startswith("Kelas berkelanjutan tidak dapat dicapai")

    def test_the_highest_index_itself_can_be_a_threshold(self) -> None:
        document = copy.deepcopy(RAW)
        changing("/dimensions/0/threshold", "3.60")(document)
        assert read_ruleset(json.dumps(document).encode()).dimensions[0].threshold == Decimal("3.60")

    def test_a_threshold_that_every_village_meets(self) -> None:
        found = problems_of(changing("/dimensions/1/threshold", "1.00"))
        assert found["/dimensions/1/threshold"] == "Ambang 1,00 selalu terpenuhi: indeks terendah yang mungkin 1,00"

    def test_weights_count(self) -> None:
        """Facilities cannot score 4: with most of the weight they pull the highest index down."""
        found = problems_of(
            lambda document: (
                [indicator(document, code).update(weight="9") for code in ("input_sarana", "input_pkb")]
                and changing("/dimensions/0/threshold", "3.20")(document)
            )
        )
        assert "indeks tertinggi yang mungkin 3,14" in found["/dimensions/0/threshold"]

    def test_a_score_given_without_a_value_counts(self) -> None:
        def change(document: dict[str, Any]) -> None:
            indicator(document, "output_unmet").update(
                when_missing={"score": 4}, bands=[{"score": 1, "from": None, "to": None}]
            )
            document["dimensions"][2]["threshold"] = "4.00"

        document = copy.deepcopy(RAW)
        change(document)
        assert read_ruleset(json.dumps(document).encode()).id == "web-2021"

    def test_a_band_outside_what_the_formula_can_give(self) -> None:
        found = problems_of(bands("input_sarana", (1, 0, 0), (2, 1, 1), (3, 2, 2), (4, 3, 9)))
        assert found == {
            f"/indicators/{PLACE['input_sarana']}/bands/3": "Pita tidak pernah tercapai: nilai yang mungkin hanya 0 sampai 2"
        }

    def test_shares_that_must_be_plausible_end_at_a_hundred(self) -> None:
        def change(document: dict[str, Any]) -> None:
            cpr = indicator(document, "output_cpr")
            cpr["formula"]["implausible"] = "propagate"
            cpr["bands"][3:] = [{"score": 4, "from": 51, "to": 100}]

        document = copy.deepcopy(RAW)
        change(document)
        assert read_ruleset(json.dumps(document).encode()).indicators[9].bands[3].high == 100

    def test_a_class_matrix_that_punishes(self) -> None:
        found = problems_of(changing("/class_matrix/7/class", "dasar"))
        assert found["/class_matrix/7/class"] == (
            "Memenuhi lebih banyak dimensi memberi kelas yang lebih rendah daripada mandiri"
        )

    def test_a_threshold_finer_than_its_index(self) -> None:
        assert list(problems_of(changing("/dimensions/2/threshold", "3.005"))) == ["/dimensions/2/threshold"]

    def test_weights_beyond_whole_numbers_of_64_bits(self) -> None:
        found = problems_of(changing(f"/indicators/{PLACE['output_cpr']}/weight", "1.000000000001"))
        assert found == {"/dimensions/2": "Bobot indikator dimensi ini terlalu besar atau terlalu halus"}


class TestParts:
    @pytest.mark.parametrize(
        ("path", "value", "pointer", "sentence"),
        [
            ("/freshness", [{"report": "profile", "max_age_months": 1}] * 2, "/freshness", "dua kali: profile"),
            (
                "/readiness",
                [{"code": "a", "labels": {"id": "a", "en": "a"}, "condition": {"input": "profile.x"}}],
                "/readiness/0/condition/formula",
                "Masukan tidak dikenal: profile.x",
            ),
            (
                "/classes/0/local_labels",
                [{"region": "33.26", "labels": {"id": "a", "en": "a"}}] * 2,
                "/classes/0/local_labels",
                "33.26 memberi dua nama",
            ),
            (
                "/classes/0/local_labels",
                [{"region": "3326", "labels": {"id": "a", "en": "a"}}],
                "/classes/0/local_labels/0/region",
                "",
            ),
            (
                f"/indicators/{PLACE['output_cpr']}/formula/sentence",
                {"id": "{numerator} dari {denominator}", "en": "{numerator} of {whole}"},
                f"/indicators/{PLACE['output_cpr']}/formula/sentence/en",
                "kurung kurawal",
            ),
            (
                f"/indicators/{PLACE['input_sarana']}/formula/of/1/input",
                "profile.secretariat",
                f"/indicators/{PLACE['input_sarana']}/formula/of",
                "dihitung dua kali: profile.secretariat",
            ),
            (
                f"/indicators/{PLACE['proses_lintas_sektor']}/formula/exclude_actors",
                [26, 26],
                f"/indicators/{PLACE['proses_lintas_sektor']}/formula/exclude_actors",
                "dua kali: 26",
            ),
            (
                f"/indicators/{PLACE['proses_lintas_sektor']}/formula/window_months",
                0,
                f"/indicators/{PLACE['proses_lintas_sektor']}/formula/window_months",
                "",
            ),
        ],
    )
    def test_what_does_not_hold(self, path: str, value: Any, pointer: str, sentence: str) -> None:
        found = problems_of(changing(path, value))
        assert pointer in found
        assert sentence in found[pointer]

    def test_a_limit_that_nothing_is_held_against(self) -> None:
        def change(document: dict[str, Any]) -> None:
            document["indicators"] = document["indicators"][:8]
            document["dimensions"] = document["dimensions"][:2]
            document["inputs"] = [one for one in document["inputs"] if not one["path"].startswith(("pop", "family"))]
            document["class_matrix"] = [
                {"met": met, "class": name}
                for met, name in (([], "dasar"), (["input"], "berkembang"), (["proses"], "mandiri"))
            ] + [{"met": ["input", "proses"], "class": "berkelanjutan"}]
            document["inputs"] = [one for one in document["inputs"] if "family_planning" not in one["path"]]
            document["freshness"] = [{"report": "population", "max_age_months": 1}]

        assert list(problems_of(change)) == ["/freshness/0/report"]


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 2), st.sampled_from(["1", "2", "0.5"]), st.booleans()).map(
            lambda one: ScoreRange(one[0], min(4, one[0] + one[1]), Decimal(one[2]), left_out=one[3])
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_the_reach_of_an_index_is_what_trying_everything_gives(
    scores: list[ScoreRange], decimals: int, half_up: bool, skipping: bool
) -> None:
    mode = ROUND_HALF_UP if half_up else ROUND_HALF_EVEN
    options = [[*range(one.low, one.high + 1), *([None] if skipping and one.left_out else [])] for one in scores]
    found = set()
    for chosen in itertools.product(*options):
        own = [(score, one.weight) for score, one in zip(chosen, scores, strict=True) if score is not None]
        if own:
            mean = sum(score * weight for score, weight in own) / sum(weight for _, weight in own)
            found.add(mean.quantize(Decimal(1).scaleb(-decimals), mode))
    assert index_range(scores, decimals, half_up=half_up, skipping=skipping) == (min(found), max(found))


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
