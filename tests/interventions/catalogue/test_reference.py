"""The shipped catalogue of Inpres 3/2022 and the shorter lists, and what their models refuse."""

import json
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.facts import FundingSource
from services.interventions.catalogue.reference import (
    FamilyFunctionList,
    FundingSourceList,
    InpresCatalogue,
    TargetGroupList,
    family_function_list,
    funding_source_list,
    inpres_catalogue,
    kegiatan_by_code,
    target_group_list,
)
from services.interventions.provenance import Certainty


def document(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files("services.interventions.catalogue").joinpath(name).read_bytes())
    return content


class TestInpres:
    def test_has_4_sasaran_8_programmes_and_58_kegiatan(self) -> None:
        catalogue = inpres_catalogue()
        assert [sasaran.code for sasaran in catalogue.sasaran] == list("1234")
        assert [programme.code for programme in catalogue.programmes] == list("12345678")
        assert [len(programme.kegiatan) for programme in catalogue.programmes] == [2, 12, 6, 15, 7, 3, 10, 3]
        assert len(kegiatan_by_code()) == 58

    def test_assigns_the_programmes_to_the_sasaran(self) -> None:
        assigned = {s.code: "".join(programme.code for programme in s.programmes) for s in inpres_catalogue().sasaran}
        assert assigned == {"1": "1", "2": "2", "3": "34567", "4": "8"}

    def test_names_each_kegiatan_once(self) -> None:
        names = Counter(kegiatan.name for kegiatan in kegiatan_by_code().values())
        assert not [name for name, times in names.items() if times > 1]

    def test_names_the_responsible_body_of_each_kegiatan(self) -> None:
        counted = {
            programme.code: Counter(kegiatan.responsible for kegiatan in programme.kegiatan)
            for programme in inpres_catalogue().programmes
        }
        assert counted == {
            "1": {"bkkbn": 2},
            "2": {"kemenkes": 4, "bkkbn": 5, "kemenag": 2, "kemenpppa": 1},
            "3": {"bkkbn": 1, "kemenkes": 2, "kemendagri": 2, "kemensos": 1},
            "4": {"kemenkes": 11, "bkkbn": 4},
            "5": {"kemendikbud": 5, "kemenag": 1, "pemprov": 1},
            "6": {"kemensos": 2, "kemenkes": 1},
            "7": {"kemensos": 3, "kemenkop-ukm": 3, "pemprov": 1, "bkkbn": 1, "kkp": 2},
            "8": {"kemenpupr": 2, "kemenkes": 1},
        }

    def test_says_that_the_signed_annex_was_not_sighted(self) -> None:
        provenance = {part.of: part for part in inpres_catalogue().provenance}
        assert provenance["kegiatan"].certainty is Certainty.APP
        assert "belum dilihat" in (provenance["kegiatan"].note or "")
        assert provenance["sasaran_programmes"].certainty is Certainty.INFERRED

    def test_refuses_an_unlisted_body(self) -> None:
        broken = document("inpres.json")
        broken["sasaran"][0]["programmes"][0]["kegiatan"][0]["responsible"] = "kementerian-lain"
        with pytest.raises(ValidationError, match="kementerian-lain"):
            InpresCatalogue.model_validate(broken)

    def test_refuses_a_gap_in_the_numbers(self) -> None:
        broken = document("inpres.json")
        del broken["sasaran"][1]["programmes"][0]["kegiatan"][4]
        with pytest.raises(ValidationError, match="must be numbered"):
            InpresCatalogue.model_validate(broken)

    def test_refuses_a_programme_twice(self) -> None:
        broken = document("inpres.json")
        broken["sasaran"][0]["programmes"] *= 2
        with pytest.raises(ValidationError, match="programme 1"):
            InpresCatalogue.model_validate(broken)


class TestFamilyFunctions:
    def test_are_eight_and_lainnya(self) -> None:
        functions = family_function_list().family_functions
        assert [function.web_kkb_number for function in functions] == list(range(1, 10))
        assert [function.code for function in functions if function.seksi is None] == ["lainnya"]
        assert all(function.name.startswith("Fungsi ") for function in functions[:8])

    def test_refuse_a_code_twice(self) -> None:
        broken = document("family_functions.json")
        broken["family_functions"] *= 2
        with pytest.raises(ValidationError, match="occur twice"):
            FamilyFunctionList.model_validate(broken)


class TestTargetGroups:
    def test_are_nine_with_lainnya_last(self) -> None:
        groups = target_group_list().target_groups
        assert [group.web_kkb_number for group in groups] == list(range(1, 10))
        assert groups[-1].code == "lainnya"

    def test_refuse_a_code_twice_and_a_list_without_lainnya(self) -> None:
        broken = document("target_groups.json")
        with pytest.raises(ValidationError, match="occur twice"):
            TargetGroupList.model_validate(broken | {"target_groups": broken["target_groups"] * 2})
        with pytest.raises(ValidationError, match="lainnya is missing"):
            TargetGroupList.model_validate(broken | {"target_groups": broken["target_groups"][:-1]})


class TestFundingSources:
    def test_are_those_of_the_contracts(self) -> None:
        sources = funding_source_list().funding_sources
        assert [source.code for source in sources] == list(FundingSource)
        assert [source.web_kkb_number for source in sources] == list(range(1, 7))

    def test_refuse_a_list_that_leaves_one_out(self) -> None:
        broken = document("funding_sources.json")
        with pytest.raises(ValidationError, match="exactly once"):
            FundingSourceList.model_validate(broken | {"funding_sources": broken["funding_sources"][1:]})
