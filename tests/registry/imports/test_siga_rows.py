import pytest

from services.registry.imports.reasons import Refusal, RowReason
from services.registry.imports.siga.rows import BadCount, count_of, read_table, totals
from tests.registry.imports.made_up import BKB_HEAD, KRS_HEAD, PLACE, csv_of, only_row, pus, read


def reason(cell: str) -> RowReason:
    value = count_of(cell)
    assert isinstance(value, BadCount), value
    return value.reason


class TestCounts:
    @pytest.mark.parametrize(("cell", "count"), [("0", 0), (" 12 ", 12), ("007", 7), ("2147483647", 2_147_483_647)])
    def test_whole_numbers(self, cell: str, count: int) -> None:
        assert count_of(cell) == count

    def test_an_implausible_size_is_still_a_count(self) -> None:
        assert count_of("253066083") == 253_066_083

    @pytest.mark.parametrize("cell", ["", "  ", "\n"])
    def test_blank_is_not_reported_and_never_zero(self, cell: str) -> None:
        assert count_of(cell) is None

    @pytest.mark.parametrize("cell", ["1.5", "1,5", "12.0", "1.234", "-0.5", "5."])
    def test_a_decimal(self, cell: str) -> None:
        assert reason(cell) is RowReason.DECIMAL

    def test_a_negative_number(self) -> None:
        assert reason("-3") is RowReason.NEGATIVE

    @pytest.mark.parametrize("cell", ["dua", "-", "nan", "1e3", "١٢", "+5", "1 000", "²"])
    def test_what_is_no_number(self, cell: str) -> None:
        assert reason(cell) is RowReason.NOT_A_NUMBER

    @pytest.mark.parametrize("cell", ["2147483648", "9" * 5000])
    def test_an_impossible_size(self, cell: str) -> None:
        assert reason(cell) is RowReason.IMPOSSIBLE_SIZE

    def test_column_and_value_are_named(self) -> None:
        row = only_row(pus(f"1,{PLACE},SUKAMAJU,12.5,-1,MEI"))
        assert row.reason is RowReason.DECIMAL
        assert row.detail is not None
        assert 'PUS berisi "12.5"' in row.detail
        assert 'UNMET NEED berisi "-1"' in row.detail

    def test_a_bad_cell_of_a_column_that_is_not_used_does_not_matter(self) -> None:
        assert only_row(csv_of(BKB_HEAD, f"{PLACE},2001,SUKAMAJU,1,setengah,x,MEI")).reason is None


class TestPeriods:
    @pytest.mark.parametrize(
        ("cell", "period"),
        [("JANUARI", "2025-01"), (" mei ", "2025-05"), ("Nopember", "2025-11"), ("PEBRUARI", "2025-02")],
    )
    def test_month_names_in_any_case(self, cell: str, period: str) -> None:
        assert only_row(pus(f"1,{PLACE},SUKAMAJU,5,1,{cell}")).period == period

    def test_a_month_that_is_none(self) -> None:
        row = only_row(pus(f"1,{PLACE},SUKAMAJU,5,1,JAN UARI"))
        assert (row.reason, row.period) == (RowReason.MONTH_UNKNOWN, None)
        assert "JAN UARI" in (row.detail or "")

    def test_a_blank_month(self) -> None:
        assert only_row(pus(f"1,{PLACE},SUKAMAJU,5,1,")).reason is RowReason.MONTH_MISSING

    def test_a_month_that_has_not_begun(self) -> None:
        table = read_table("t", pus(f"1,{PLACE},SUKAMAJU,5,1,MEI", f"1,{PLACE},SUKAMAJU,5,1,JUNI"), 2025, "2025-05")
        assert not isinstance(table, Refusal)
        assert [row.reason for row in table.rows] == [None, RowReason.FUTURE_MONTH]

    def test_a_stated_year_must_be_the_years(self) -> None:
        head = pus().decode().strip() + ",TAHUN"
        rows = read(csv_of(head, *(f"1,{PLACE},SUKAMAJU,5,1,MEI,{year}" for year in ("2025", "2024", "")))).rows
        assert [row.reason for row in rows] == [None, RowReason.OUTSIDE_YEAR, None]

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("Sem 2 2024", RowReason.OUTSIDE_YEAR),
            ("Sem 2", RowReason.PERIOD_UNKNOWN),
            ("2024/2025", RowReason.PERIOD_UNKNOWN),
            ("Sem 1 2025", None),
        ],
    )
    def test_a_table_of_a_half_year(self, written: str, expected: RowReason | None) -> None:
        row = only_row(csv_of(KRS_HEAD, f"0,{PLACE},2001,SUKAMAJU,5,1,4,{written}"))
        assert row.reason is expected
        if expected is RowReason.OUTSIDE_YEAR:
            assert row.detail == 'PERIODE "Sem 2 2024" di luar tahun impor 2025'


class TestTotals:
    def test_all_rows_read_count_used_or_not(self) -> None:
        table = read(
            pus(
                f"1,{PLACE},SUKAMAJU,5,1,MEI",
                f"2,{PLACE},TIDAK DIKENAL,7,,MEI",
                f"3,{PLACE},TANJUNG RATA,2,x,MEI",
                f"4,{PLACE},TANJUNG RATA,9,4,JUNI",
                f"5,{PLACE},TANJUNG RATA,100,100,",
            )
        )
        assert totals([table]) == {
            "2025-05": {"family_planning.unmet_need": 1, "population.pus": 14},
            "2025-06": {"family_planning.unmet_need": 4, "population.pus": 9},
        }
