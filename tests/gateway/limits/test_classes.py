"""Which quota an operation counts against."""

from __future__ import annotations

import pytest

from gateway.contract import committed, own_document
from gateway.limits.classes import LimitClass, class_of
from gateway.proxy.routing import RoutingTable


class TestClass:
    def test_by_method(self) -> None:
        assert class_of("GET", ["villages:read"], None) is LimitClass.READ
        assert class_of("POST", ["villages:write"], None) is LimitClass.WRITE
        assert class_of("GET", [], None) is LimitClass.READ

    def test_what_strangers_may_change_is_a_way_in(self) -> None:
        assert class_of("POST", [], None) is LimitClass.SIGN_IN

    def test_the_contract_decides(self) -> None:
        assert class_of("GET", ["villages:read"], "heavy") is LimitClass.HEAVY
        with pytest.raises(ValueError, match="enormous"):
            class_of("GET", ["villages:read"], "enormous")

    def test_the_costly_ones_say_so_in_the_committed_contracts(self) -> None:
        table = RoutingTable()
        for service, document in {**committed(), "gateway": own_document()}.items():
            table.add_document(service, document)
        heavy = {one.operation_id for one in table.operations if one.limit is LimitClass.HEAVY}
        assert heavy >= {
            "export_assessments_csv",
            "export_assessments_xlsx",
            "upload_import_table",
            "start_import",
            "compare_rulesets",
            "start_recomputation",
            "start_scoring_rebuild",
            "start_registry_re_emission",
            "issue_determination",
        }
        assert "get_village" not in heavy
