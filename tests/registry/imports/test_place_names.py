import pytest

from services.registry.aliases.rules import (
    Gazetteer,
    How,
    KnownAlias,
    Placed,
    PlaceReason,
    Resolver,
    Unplaced,
    WrittenPlace,
    compact,
    place_key,
    readings,
    regency_words,
    words,
)
from tests.registry.imports.made_up import RATA, REGIONS, SUKAMAJU

GAZETTEER = Gazetteer.of(REGIONS)


def place(village: str, kode: str = "", *, district: str = "KEPULAUAN TIGA", regency: str = "UJI") -> WrittenPlace:
    return WrittenPlace("CONTOH BARAT", regency, district, village, kode)


def settle(
    wanted: WrittenPlace, *siblings: WrittenPlace, known: dict[str, KnownAlias] | None = None
) -> Placed | Unplaced:
    return Resolver(GAZETTEER, known or {}, [wanted, *siblings]).resolve(wanted)


def reason(outcome: Placed | Unplaced) -> PlaceReason:
    assert isinstance(outcome, Unplaced), outcome
    return outcome.reason


class TestNormalising:
    def test_case_spacing_line_breaks_and_punctuation_do_not_count(self) -> None:
        assert words(" Limboro  Rambu-\nRambu. ") == "LIMBORO RAMBU RAMBU"
        assert compact("BUNTUMALANGK\nA") == compact("Buntumalangka")

    def test_only_kabupaten_is_left_out_of_a_regency(self) -> None:
        assert regency_words("Kabupaten Uji") == regency_words("KAB. UJI") == "UJI"
        assert regency_words("Kota Uji") == "KOTA UJI"
        assert regency_words("Kabupaten") == "KABUPATEN"

    def test_every_reading_of_an_abbreviation_is_listed(self) -> None:
        assert readings("KEP TIGA") == {"KEPULAUANTIGA"}
        assert readings("BT MERAH") == {"BATUMERAH", "BATANGMERAH", "BUKITMERAH"}
        assert readings("SUKAMAJU") == set()

    def test_letters_outside_the_words_do_not_change_the_key(self) -> None:
        assert place_key(place("rambu -\nRAMBU")) == place_key(place("RAMBU-RAMBU", kode="2002"))


class TestByName:
    def test_a_regency_of_the_same_name_as_a_city_is_kept_apart(self) -> None:
        assert settle(place("PASAR", district="KOTA TENGAH", regency="KOTA UJI")) == Placed("98.71.01.1001")
        assert reason(settle(place("PASAR", district="KOTA TENGAH"))) is PlaceReason.DISTRICT_UNKNOWN

    @pytest.mark.parametrize("written", ["SUKAMAJU", "Suka Maju", "SUKAMA\nJU", " sukamaju "])
    def test_spelling_aside_the_official_name_settles_it(self, written: str) -> None:
        assert settle(place(written)) == Placed(SUKAMAJU)

    def test_a_similar_name_settles_nothing(self) -> None:
        assert reason(settle(place("SUKAMAJA"))) is PlaceReason.VILLAGE_UNKNOWN
        assert reason(settle(place("SUKAMAJU", district="KEPULAUAN TIGO"))) is PlaceReason.DISTRICT_UNKNOWN
        assert reason(settle(place("SUKAMAJU", regency="UJII"))) is PlaceReason.REGENCY_UNKNOWN

    def test_another_province_is_outside(self) -> None:
        outcome = settle(WrittenPlace("CONTOH TIMUR", "UJI", "KEPULAUAN TIGA", "SUKAMAJU"))
        assert reason(outcome) is PlaceReason.PROVINCE_OUTSIDE
        assert isinstance(outcome, Unplaced)
        assert "CONTOH TIMUR" in outcome.detail
        assert "Contoh Barat" in outcome.detail

    def test_an_empty_name_is_named(self) -> None:
        outcome = settle(place(" - "))
        assert reason(outcome) is PlaceReason.NAME_MISSING
        assert isinstance(outcome, Unplaced)
        assert "KELURAHAN" in outcome.detail

    def test_a_cell_that_is_too_long_for_a_name_is_none_and_no_alias_either(self) -> None:
        outcome = settle(place("SUKAMAJU " * 40, "2001"))
        assert reason(outcome) is PlaceReason.NAME_TOO_LONG
        assert isinstance(outcome, Unplaced)
        assert len(outcome.detail) < 150

    def test_a_gazetteer_covers_one_province(self) -> None:
        with pytest.raises(ValueError, match="one province"):
            Gazetteer.of((*REGIONS, ("97", "Contoh Timur")))


class TestByAbbreviation:
    def test_an_abbreviated_district_is_spelled_out_and_remembered(self) -> None:
        assert settle(place("SUKAMAJU", district="KEP. TIGA")) == Placed(SUKAMAJU, How.ABBREVIATION)

    def test_an_abbreviated_village_too(self) -> None:
        assert settle(place("TJ. RATA")) == Placed(RATA, How.ABBREVIATION)

    def test_an_official_abbreviation_is_met_by_the_words(self) -> None:
        gazetteer = Gazetteer.of([("98", "C"), ("98.01", "K"), ("98.01.01", "D"), ("98.01.01.2001", "Tj. Rata")])
        outcome = Resolver(gazetteer, {}, []).resolve(WrittenPlace("C", "K", "D", "TANJUNG RATA"))
        assert outcome == Placed("98.01.01.2001", How.ABBREVIATION)

    def test_two_possible_readings_settle_nothing(self) -> None:
        outcome = settle(place("BT. MERAH", district="HULU"))
        assert reason(outcome) is PlaceReason.VILLAGE_AMBIGUOUS


class TestByKode:
    def test_the_kode_of_the_row_settles_an_unknown_name(self) -> None:
        assert settle(place("SUKAMAJOE", "2001")) == Placed(SUKAMAJU, How.KODE)

    def test_the_kode_of_a_sibling_table_settles_a_row_without_one(self) -> None:
        assert settle(place("SUKAMAJOE"), place("Suka Majoe", "2001")) == Placed(SUKAMAJU, How.KODE)

    def test_a_kode_no_village_of_the_district_has(self) -> None:
        assert reason(settle(place("SUKAMAJOE", "2009"))) is PlaceReason.KODE_UNKNOWN

    @pytest.mark.parametrize("kode", ["1", "02001", "2001.0", "dua"])
    def test_a_kode_that_is_not_four_digits(self, kode: str) -> None:
        assert reason(settle(place("SUKAMAJU", kode))) is PlaceReason.KODE_INVALID

    def test_a_kode_that_disagrees_with_an_exact_name_is_refused(self) -> None:
        outcome = settle(place("SUKAMAJU", "2002"))
        assert reason(outcome) is PlaceReason.KODE_DISAGREES
        assert isinstance(outcome, Unplaced)
        assert "2002" in outcome.detail
        assert SUKAMAJU in outcome.detail

    def test_one_unknown_name_with_two_kodes_settles_nothing(self) -> None:
        outcome = settle(place("SUKAMAJOE"), place("SUKAMAJOE", "2001"), place("SUKAMAJOE", "2002"))
        assert reason(outcome) is PlaceReason.KODE_CONTRADICTORY

    def test_of_two_villages_of_one_name_the_kode_tells(self) -> None:
        assert settle(place("KEMBAR", "1001", district="HULU")) == Placed("98.01.02.1001")
        assert settle(place("KEMBAR", district="HULU"), place("KEMBAR", "2001", district="HULU")) == Placed(
            "98.01.02.2001"
        )
        both = (place("KEMBAR", "1001", district="HULU"), place("KEMBAR", "2001", district="HULU"))
        assert reason(settle(place("KEMBAR", district="HULU"), *both)) is PlaceReason.VILLAGE_AMBIGUOUS
        assert reason(settle(place("KEMBAR", district="HULU"))) is PlaceReason.VILLAGE_AMBIGUOUS


class TestRemembered:
    def test_an_alias_settles_a_table_without_kode(self) -> None:
        known = {place_key(place("SUKAMAJOE")): KnownAlias(SUKAMAJU, How.KODE)}
        assert settle(place("suka majoe"), known=known) == Placed(SUKAMAJU, How.KODE, remembered=True)

    def test_the_official_name_goes_before_an_alias(self) -> None:
        known = {place_key(place("SUKAMAJU")): KnownAlias(RATA, How.KODE)}
        assert settle(place("SUKAMAJU"), known=known) == Placed(SUKAMAJU)

    def test_an_alias_of_a_village_that_is_gone_is_not_used(self) -> None:
        known = {place_key(place("SUKAMAJOE")): KnownAlias("98.01.01.2099", How.KODE)}
        assert reason(settle(place("SUKAMAJOE"), known=known)) is PlaceReason.VILLAGE_UNKNOWN

    def test_a_kode_that_disagrees_with_an_alias_is_refused(self) -> None:
        known = {place_key(place("SUKAMAJOE")): KnownAlias(SUKAMAJU, How.KODE)}
        assert reason(settle(place("SUKAMAJOE", "2002"), known=known)) is PlaceReason.KODE_DISAGREES
