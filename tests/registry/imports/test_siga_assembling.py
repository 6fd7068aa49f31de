from contracts.facts import FACTS_OF, FamilyPlanningFacts, ReportKind
from services.registry.aliases.rules import Gazetteer, How, KnownAlias, PlaceReason, WrittenPlace, place_key
from services.registry.imports.reasons import RowReason, RowStatus
from services.registry.imports.siga.assembling import Launch, assemble, facts_with, report_keys, status_of
from tests.registry.imports.made_up import (
    BKB_HEAD,
    KRS_HEAD,
    MIX_HEAD,
    PLACE,
    RATA,
    RDK_HEAD,
    REGIONS,
    SUKAMAJU,
    SUKAMAJU_HAS_ONE,
    TARGET_HEAD,
    assembled,
    csv_of,
    kkb,
    pus,
    read,
)

MAY = "2025-05"
PROFILE, POPULATION, FAMILY_PLANNING = ReportKind.PROFILE, ReportKind.POPULATION, ReportKind.FAMILY_PLANNING


class TestReports:
    def test_one_report_is_put_together_from_several_tables(self) -> None:
        assembly = assembled(
            SUKAMAJU_HAS_ONE,
            pus(f"1,{PLACE},SUKAMAJU,50,9,MEI"),
            csv_of(TARGET_HEAD, f"{PLACE},SUKAMAJU,20,10,30,11,40,12,MEI"),
            csv_of(MIX_HEAD, f"1,{PLACE},SUKAMAJU,36,1,2,3,4,5,6,7,8,28,9,MEI"),
        )
        assert set(assembly.said) == {(POPULATION, SUKAMAJU, MAY), (FAMILY_PLANNING, SUKAMAJU, MAY)}
        assert facts_with(None, assembly.said[POPULATION, SUKAMAJU, MAY]) == {
            "pus": 50,
            "families_with_under_fives": 20,
            "families_with_adolescents": 30,
            "families_with_elderly": 40,
        }
        facts = FamilyPlanningFacts.model_validate(facts_with(None, assembly.said[FAMILY_PLANNING, SUKAMAJU, MAY]))
        assert facts.model_dump(exclude_none=True) == {
            "poktan_participants": {"bkb": 10, "bkr": 11, "bkl": 12},
            "methods": {"injection": 1, "pill": 2, "condom": 3, "implant": 4, "iud": 5, "mop": 6, "mow": 7},
            "users_total": 36,
            "users_lam": 8,
            "users_traditional": 9,
            "non_users": {},
            "unmet_need": 9,
        }

    def test_groups_that_exist_become_yes_and_none_becomes_no(self) -> None:
        rows = (
            f"{PLACE},2001,SUKAMAJU,{there},0,0,{month}" for there, month in ((2, "MEI"), (0, "JUNI"), ("", "JULI"))
        )
        said = assembled(SUKAMAJU_HAS_ONE, csv_of(BKB_HEAD, *rows)).said
        answers = [said[PROFILE, SUKAMAJU, f"2025-0{month}"]["poktan", "bkb"] for month in (5, 6, 7)]
        assert answers == [True, False, None]

    def test_a_yearly_table_answers_for_every_month_there_is(self) -> None:
        assembly = assembled(
            SUKAMAJU_HAS_ONE,
            csv_of(RDK_HEAD, f"{PLACE},2001,SUKAMAJU,1,0"),
            pus(f"1,{PLACE},SUKAMAJU,5,1,MEI", f"1,{PLACE},SUKAMAJU,5,1,JULI"),
        )
        assert assembly.months == (MAY, "2025-07")
        for month in assembly.months:
            assert assembly.said[PROFILE, SUKAMAJU, month] == {("rumah_dataku",): True}
        yearly = next(row for row in assembly.rows if row.kind.name == "data_rdk")
        assert report_keys(yearly, assembly.months) == [(PROFILE, SUKAMAJU, month) for month in assembly.months]

    def test_a_yearly_table_alone_has_no_month_to_report_for(self) -> None:
        assembly = assembled(SUKAMAJU_HAS_ONE, csv_of(RDK_HEAD, f"{PLACE},2001,SUKAMAJU,1,0"))
        assert [row.reason for row in assembly.rows] == [None, RowReason.NO_MONTH]
        assert assembly.said == {}

    def test_what_no_table_says_about_stays_from_the_earlier_report(self) -> None:
        earlier = {"pus": 40, "families_with_elderly": 7, "age_bands": None}
        said = assembled(SUKAMAJU_HAS_ONE, pus(f"1,{PLACE},SUKAMAJU,,1,MEI")).said[POPULATION, SUKAMAJU, MAY]
        assert facts_with(earlier, said) == {"pus": None, "families_with_elderly": 7, "age_bands": None}
        assert earlier["pus"] == 40

    def test_earlier_groups_are_kept_and_not_changed_in_place(self) -> None:
        earlier = {"poktan": {"bkb": False, "bkr": True}}
        facts = facts_with(earlier, {("poktan", "bkb"): True})
        assert facts == {"poktan": {"bkb": True, "bkr": True}}
        assert earlier == {"poktan": {"bkb": False, "bkr": True}}

    def test_all_that_is_said_fits_the_contract(self) -> None:
        assembly = assembled(SUKAMAJU_HAS_ONE, pus(f"1,{PLACE},SUKAMAJU,253066083,9,MEI"))
        for (kind, _, _), said in assembly.said.items():
            FACTS_OF[kind].model_validate(facts_with(None, said))
        assert assembly.said[POPULATION, SUKAMAJU, MAY]["pus",] == 253_066_083


class TestRows:
    def test_a_village_without_kampung_kb_keeps_its_row_with_the_reason(self) -> None:
        assembly = assembled(
            kkb(f"{PLACE},2001,SUKAMAJU,1,0,0,0,0,0,0,0,0"),
            pus(f"1,{PLACE},SUKAMAJU,5,1,MEI", f"2,{PLACE},TANJUNG RATA,5,1,MEI"),
        )
        assert [row.reason for row in assembly.rows] == [RowReason.NO_KAMPUNG_KB] * 3
        assert [row.code for row in assembly.rows] == [SUKAMAJU, SUKAMAJU, RATA]
        assert assembly.said == {}
        assert status_of(assembly.rows[0], changed=False) is RowStatus.SKIPPED

    def test_a_registered_village_needs_no_announcement(self) -> None:
        assembly = assembled(pus(f"1,{PLACE},SUKAMAJU,5,1,MEI"), registered={SUKAMAJU})
        assert (POPULATION, SUKAMAJU, MAY) in assembly.said

    def test_an_equal_row_counts_once(self) -> None:
        line = f"1,{PLACE},SUKAMAJU,5,1,MEI"
        rows = assembled(SUKAMAJU_HAS_ONE, pus(line, line)).rows[1:]
        assert [row.reason for row in rows] == [None, RowReason.DUPLICATE_ROW]
        assert rows[1].detail == "sama dengan t2.csv baris 2"

    def test_contradicting_rows_are_all_rejected_also_across_files(self) -> None:
        first, other = pus(f"1,{PLACE},SUKAMAJU,5,1,MEI"), pus(f"1,{PLACE},Suka Maju,6,1,MEI")
        assembly = assembled(SUKAMAJU_HAS_ONE, first, other, first)
        rows = assembly.rows[1:]
        assert [row.reason for row in rows] == [RowReason.CONTRADICTORY] * 3
        assert "t2.csv baris 2, t3.csv baris 2" in (rows[0].detail or "")
        assert assembly.said == {}

    def test_the_same_village_in_two_months_contradicts_nothing(self) -> None:
        assembly = assembled(SUKAMAJU_HAS_ONE, pus(f"1,{PLACE},SUKAMAJU,5,1,MEI", f"1,{PLACE},SUKAMAJU,6,1,JUNI"))
        assert [row.reason for row in assembly.rows] == [None] * 3

    def test_a_rejected_row_leaves_the_others(self) -> None:
        assembly = assembled(SUKAMAJU_HAS_ONE, pus(f"1,{PLACE},SUKAMAJU,5.5,1,MEI", f"1,{PLACE},SUKAMAJU,6,1,JUNI"))
        assert [row.reason for row in assembly.rows] == [None, RowReason.DECIMAL, None]
        assert assembly.rows[1].code == SUKAMAJU
        assert {period for _, _, period in assembly.said} == {"2025-06"}
        assert status_of(assembly.rows[1], changed=False) is RowStatus.REJECTED

    def test_a_place_outside_the_region_is_rejected(self) -> None:
        assembly = assembled(
            pus(f"1,{PLACE},SUKAMAJU,5,1,MEI", "2,CONTOH BARAT,LAIN,HILIR,SUKAMAJU,5,1,MEI"),
            registered={SUKAMAJU, "98.02.01.2001"},
            region="98.02",
        )
        assert [row.reason for row in assembly.rows] == [RowReason.OUTSIDE_REGION, None]
        assert [row.code for row in assembly.rows] == [None, "98.02.01.2001"]

    def test_a_known_table_that_is_not_used(self) -> None:
        assembly = assembled(csv_of(KRS_HEAD, f"0,{PLACE},2001,SUKAMAJU,5,1,4,Sem 1 2025"), registered={SUKAMAJU})
        assert [row.reason for row in assembly.rows] == [RowReason.KIND_NOT_USED]

    def test_a_used_row_is_stored_or_unchanged(self) -> None:
        (row,) = assembled(pus(f"1,{PLACE},SUKAMAJU,5,1,MEI"), registered={SUKAMAJU}).rows
        assert status_of(row, changed=True) is RowStatus.STORED
        assert status_of(row, changed=False) is RowStatus.UNCHANGED


class TestAnnouncements:
    def launch(self, years: str, count: int = 1) -> Launch:
        (found,) = assembled(kkb(f"{PLACE},2001,SUKAMAJU,1,{count},{years},0,0")).announcements
        assert found.kampung_kb == count
        return found.launch

    def test_a_year_or_only_after_2019(self) -> None:
        assert self.launch("0,0,1,0,0") == Launch(2018)
        assert self.launch("0,0,0,0,1") == Launch(after_2019=True)

    def test_years_that_contradict_the_count_give_no_year(self) -> None:
        assert self.launch("0,0,0,0,0") == Launch()
        assert self.launch("1,0,1,0,0") == Launch()
        assert self.launch("0,0,1,0,0", count=2) == Launch()

    def test_two_of_one_time(self) -> None:
        assert self.launch("0,0,0,0,2", count=2) == Launch(after_2019=True)

    def test_none_announced_is_said_too(self) -> None:
        assembly = assembled(kkb(f"{PLACE},2001,SUKAMAJU,1,0,0,0,0,0,0,0,0"), registered={SUKAMAJU})
        assert [(found.code, found.kampung_kb) for found in assembly.announcements] == [(SUKAMAJU, 0)]

    def test_a_blank_or_rejected_count_announces_nothing(self) -> None:
        assembly = assembled(
            kkb(f"{PLACE},2001,SUKAMAJU,1,,0,0,0,0,0,0,0", f"{PLACE},2002,TANJUNG RATA,1,-1,0,0,0,0,0,0,0")
        )
        assert assembly.announcements == []


class TestNames:
    def test_aliases_are_listed_with_how(self) -> None:
        assembly = assembled(
            csv_of(BKB_HEAD, "CONTOH BARAT,UJI,KEP. TIGA,2001,SUKAMAJU,1,0,0,MEI", f"{PLACE},2002,TG RATO,1,0,0,MEI"),
            pus(f'1,{PLACE},"TG\nRATO",5,1,MEI'),
        )
        assert [
            (alias.written.district, alias.written.village, alias.code, alias.how) for alias in assembly.aliases
        ] == [
            ("KEP. TIGA", "SUKAMAJU", SUKAMAJU, How.ABBREVIATION),
            ("KEPULAUAN TIGA", "TG RATO", RATA, How.KODE),
        ]
        assert assembly.villages_resolved == 2
        assert assembly.unresolved == []

    def test_a_remembered_alias_is_marked(self) -> None:
        key = place_key(WrittenPlace("CONTOH BARAT", "UJI", "KEPULAUAN TIGA", "TG RATO"))
        assembly = assembled(pus(f"1,{PLACE},TG RATO,5,1,MEI"), known={key: KnownAlias(RATA, How.KODE)})
        (alias,) = assembly.aliases
        assert (alias.code, alias.how, alias.remembered) == (RATA, How.KODE, True)

    def test_a_name_only_rejected_rows_carry_is_not_learned(self) -> None:
        """A mistyped KODE makes a new village contradict another one; the alias must not survive the import."""
        rows = (f"{PLACE},2001,SUKAMAJU,1,0,0,MEI", f"{PLACE},2001,DESA BARU,0,0,0,MEI")
        assembly = assembled(csv_of(BKB_HEAD, *rows), registered={SUKAMAJU})
        assert [row.reason for row in assembly.rows] == [RowReason.CONTRADICTORY] * 2
        assert assembly.aliases == []

    def test_unresolved_names_are_counted(self) -> None:
        lines = (f"1,{PLACE},ENTAH,5,1,{month}" for month in ("MEI", "JUNI"))
        (unresolved,) = assembled(pus(*lines)).unresolved
        assert (unresolved.written.village, unresolved.reason, unresolved.rows) == (
            "ENTAH",
            PlaceReason.VILLAGE_UNKNOWN,
            2,
        )


class TestInactive:
    def test_a_kampung_kb_that_a_person_closed_is_not_brought_back(self) -> None:
        tables = [read(SUKAMAJU_HAS_ONE), read(pus(f"1,{PLACE},SUKAMAJU,5,1,MEI"))]
        assembly = assemble(tables, Gazetteer.of(REGIONS), {}, "98", frozenset(), closed={SUKAMAJU})
        assert [row.reason for row in assembly.rows] == [RowReason.KAMPUNG_KB_INACTIVE] * 2
        assert assembly.announcements == []
        assert assembly.said == {}

    def test_an_active_one_beside_a_closed_one_counts(self) -> None:
        tables = [read(pus(f"1,{PLACE},SUKAMAJU,5,1,MEI"))]
        assembly = assemble(tables, Gazetteer.of(REGIONS), {}, "98", {SUKAMAJU}, closed={SUKAMAJU})
        assert set(assembly.said) == {(POPULATION, SUKAMAJU, MAY), (FAMILY_PLANNING, SUKAMAJU, MAY)}
