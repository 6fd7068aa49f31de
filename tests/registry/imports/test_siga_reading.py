import gzip

import pytest

from services.registry.imports.reasons import Refusal, RowReason, TableProblem
from services.registry.imports.siga.reading import decode, recognise, unpack
from services.registry.imports.siga.rows import read_table
from tests.registry.imports.made_up import (
    BKB_HEAD,
    KKB_HEAD,
    KRS_HEAD,
    MIX_HEAD,
    PLACE,
    PUS_HEAD,
    RDK_HEAD,
    TARGET_HEAD,
    csv_of,
    only_row,
    pus,
    read,
)


def refused(data: bytes) -> Refusal:
    outcome = read_table("t.csv", data, 2025)
    assert isinstance(outcome, Refusal), outcome
    return outcome


class TestUnpacking:
    def test_plain_and_gzip_are_the_same(self) -> None:
        assert unpack(b"a,b\n", 10) == unpack(gzip.compress(b"a,b\n"), 10) == b"a,b\n"

    def test_members_of_one_gzip_file_are_joined(self) -> None:
        assert unpack(gzip.compress(b"a,") + gzip.compress(b"b\n"), 10) == b"a,b\n"

    def test_the_limit_holds_for_what_is_unpacked(self) -> None:
        bomb = gzip.compress(b"0" * 100_000)
        for data in (bomb, b"0" * 100_000):
            outcome = unpack(data, 99_999)
            assert isinstance(outcome, Refusal)
            assert outcome.problem is TableProblem.TOO_LARGE
        assert unpack(bomb, 100_000) == b"0" * 100_000

    def test_a_broken_or_cut_off_gzip_file(self) -> None:
        whole = gzip.compress(b"PROVINSI,KABUPATEN\n" * 50)
        for data in (whole[:30], whole[:10] + b"\xff\xff" + whole[12:]):
            outcome = unpack(data, 10_000)
            assert isinstance(outcome, Refusal)
            assert outcome.problem is TableProblem.BAD_GZIP


class TestRecognising:
    @pytest.mark.parametrize(
        ("head", "kind"),
        [
            (PUS_HEAD, "data_pus"),
            (KKB_HEAD, "data_kkb"),
            (BKB_HEAD, "data_bkb"),
            (BKB_HEAD.replace("MATERI 1000 HPK", "JUMLAH KELUARGA ANGGOTA BKR"), "data_bkr"),
            (BKB_HEAD.replace("MATERI 1000 HPK", "JUMLAH ANGGOTA BKL"), "data_bkl"),
            (BKB_HEAD.replace("MATERI 1000 HPK", "MATERI USAHA EKONOMI KELUARGA"), "data_uppka"),
            (BKB_HEAD.replace("MATERI 1000 HPK", "JUMLAH REMAJA HADIR DALAM PERTEMUAN"), "data_pikr"),
            (RDK_HEAD, "data_rdk"),
            (MIX_HEAD, "data_mix_kontra"),
            (TARGET_HEAD, "sasaran_poktan_gabung"),
            (KRS_HEAD, "data_verval_krs"),
        ],
    )
    def test_each_table_is_known_by_its_columns(self, head: str, kind: str) -> None:
        assert read(csv_of(head)).layout.kind.name == kind

    def test_semicolon_lower_case_broken_and_marked(self) -> None:
        head = PUS_HEAD.lower().replace(",", ";").replace("unmet need", '"unmet\nneed "')
        table = read(b"\xef\xbb\xbf" + csv_of(head, "1;CONTOH BARAT;UJI;KEPULAUAN TIGA;SUKAMAJU;5;1;Mei"))
        assert table.layout.kind.name == "data_pus"
        assert table.rows[0].values == (5, 1)

    def test_columns_that_are_not_used_are_listed(self) -> None:
        assert read(csv_of(BKB_HEAD)).layout.not_used == ("YANG LAPOR", "MATERI 1000 HPK")
        assert read(csv_of(PUS_HEAD.replace("NO,", ","))).layout.not_used == ("(tanpa nama)",)

    def test_missing_columns_are_named(self) -> None:
        refusal = refused(csv_of(PUS_HEAD.replace("UNMET NEED", "UNMET")))
        assert refusal.problem is TableProblem.COLUMN_MISSING
        assert refusal.missing == ("UNMET NEED",)
        assert "data_pus" in refusal.detail
        assert "UNMET NEED" in refusal.detail

    def test_a_missing_month_or_place_is_named(self) -> None:
        assert refused(csv_of(PUS_HEAD.replace("BULAN", "WAKTU"))).missing == ("BULAN",)
        assert refused(csv_of(PUS_HEAD.replace("KELURAHAN", "DESA"))).missing == ("KELURAHAN",)

    def test_a_register_of_groups_without_its_mark_could_be_any(self) -> None:
        refusal = refused(csv_of(BKB_HEAD.replace("MATERI 1000 HPK", "MATERI")))
        assert refusal.problem is TableProblem.COLUMN_MISSING
        assert {"MATERI 1000 HPK", "JUMLAH ANGGOTA BKL"} <= set(refusal.missing)

    def test_two_tables_in_one_are_ambiguous(self) -> None:
        refusal = refused(csv_of(f"{PUS_HEAD},SASARAN BKB,{','.join(TARGET_HEAD.split(',')[5:10])}"))
        assert refusal.problem is TableProblem.AMBIGUOUS_TABLE
        assert "data_pus" in refusal.detail
        assert "sasaran_poktan_gabung" in refusal.detail

    def test_a_used_column_twice(self) -> None:
        refusal = refused(csv_of(f"{PUS_HEAD},PUS"))
        assert refusal.problem is TableProblem.COLUMN_DOUBLE
        assert "PUS" in refusal.detail

    @pytest.mark.parametrize("data", [b"hello\nworld\n", b"%PDF-1.7 text", b"{}"])
    def test_what_is_no_siga_table(self, data: bytes) -> None:
        assert refused(data).problem is TableProblem.UNKNOWN_TABLE

    def test_what_is_no_text(self) -> None:
        assert refused(b"PK\x03\x04\x00\x00").problem is TableProblem.NOT_CSV
        assert refused(b" \n").problem is TableProblem.EMPTY


class TestEncoding:
    def test_utf16_is_refused_with_its_offset(self) -> None:
        refusal = refused(PUS_HEAD.encode("utf-16"))
        assert refusal.problem is TableProblem.NOT_UTF8
        assert "byte 0" in refusal.detail

    def test_a_wrong_byte_in_the_header_refuses_the_table(self) -> None:
        data = pus().replace(b"KECAMATAN", b"KECAMAT\xc1N")
        refusal = refused(data)
        assert refusal.problem is TableProblem.NOT_UTF8
        assert str(data.index(b"\xc1")) in refusal.detail

    def test_a_wrong_byte_costs_its_row_only(self) -> None:
        good, other = f"1,{PLACE},SUKAMAJU,5,1,MEI", f"3,{PLACE},TANJUNG RATA,7,2,MEI"
        data = pus(good, f"2,{PLACE},SUKAM\x00JU\x00,5,1,MEI", other, f"4,{PLACE},\x00,5,1,MEI")
        data = data.replace(b"\0", b"\xe9")
        rows = read(data).rows
        assert [row.reason for row in rows] == [None, RowReason.NOT_UTF8, None, RowReason.NOT_UTF8]
        first, last = data.index(b"\xe9"), data.rindex(b"\xe9")
        assert rows[1].detail == f"baris bukan UTF-8: byte pada posisi {first}"
        assert rows[3].detail == f"baris bukan UTF-8: byte pada posisi {last}"

    def test_offsets_count_the_byte_order_mark(self) -> None:
        data = b"\xef\xbb\xbf" + pus(f"1,{PLACE},SUKAMAJU,5,1,ME?").replace(b"ME?", b"ME\xff")
        assert str(data.index(b"\xff")) in (only_row(data).detail or "")

    def test_correct_letters_beyond_ascii_are_kept(self) -> None:
        row = only_row(pus(f"1,{PLACE},DÉSA ÑU,5,1,MEI"))
        assert row.place is not None
        assert row.place.village == "DÉSA ÑU"


class TestRows:
    def test_a_cell_broken_over_two_lines_is_one_cell(self) -> None:
        table = read(pus(f'1,{PLACE},"RAMBU-\r\nRAMBU",5,1,MEI', f"2,{PLACE},SUKAMAJU,6,1,MEI"))
        assert [(row.number, row.values) for row in table.rows] == [(2, (5, 1)), (3, (6, 1))]

    def test_an_empty_line_is_no_row_but_counts_as_one(self) -> None:
        table = read(pus(f"1,{PLACE},SUKAMAJU,5,1,MEI", "", f"2,{PLACE},SUKAMAJU,6,1,JUNI"))
        assert [row.number for row in table.rows] == [2, 4]

    @pytest.mark.parametrize("line", [f"1,{PLACE},SUKAMAJU,5,1", f"1,{PLACE},SUKAMAJU,5,1,MEI,9"])
    def test_too_few_or_too_many_cells(self, line: str) -> None:
        assert only_row(pus(line)).reason is RowReason.CELL_COUNT

    def test_an_open_quote_does_not_swallow_the_rows_after_it(self) -> None:
        good = f"1,{PLACE},SUKAMAJU,5,1,MEI"
        rows = read(pus(good, f'2,{PLACE},"RAMBU,5,1,MEI', *[good] * 40)).rows
        assert len(rows) == 42
        assert [row.reason for row in rows[:3]] == [None, RowReason.UNREADABLE, None]
        assert "baris teks 3" in (rows[1].detail or "")
        assert {row.reason for row in rows[2:]} == {None}

    def test_an_open_quote_that_a_later_one_closes_is_found_too(self) -> None:
        good = f"1,{PLACE},SUKAMAJU,5,1,MEI"
        rows = read(pus(f'2,{PLACE},"RAMBU,5,1,MEI', *[good] * 40, f'9,{PLACE},RAMBU",5,1,MEI', good)).rows
        assert [row.reason for row in rows].count(None) == 42
        assert rows[0].reason is RowReason.UNREADABLE

    def test_too_many_open_quotes_end_the_reading_with_a_reason(self) -> None:
        rows = read(pus(*['1,"a"b'] * 300)).rows
        assert len(rows) == 101
        assert "sisa berkas" in (rows[-1].detail or "")

    def test_an_offset_stays_right_after_an_unreadable_line(self) -> None:
        good = f"1,{PLACE},SUKAMAJU,5,1,MEI"
        data = pus(f'2,{PLACE},"RAMBU\x01,5,1,MEI', *[good] * 40, f"3,{PLACE},X\x01,5,1,MEI").replace(b"\1", b"\xff")
        rows = read(data).rows
        assert str(data.rindex(b"\xff")) in (rows[-1].detail or "")

    def test_the_header_alone_has_no_rows(self) -> None:
        text = decode(pus())
        assert not isinstance(text, Refusal)
        assert not isinstance(recognise(text), Refusal)
        assert read(pus()).rows == []
