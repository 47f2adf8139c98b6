"""The messages of the demonstration, read back by a parser that is not ours."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import hl7
import pytest
from lxml import etree
from pypdf import PdfReader

from liane.demo.adt import movement_message
from liane.demo.arrival import arrival
from liane.demo.documents import letter_message
from liane.demo.hl7 import Raw, encoded, parts, read_answer, repeats, segment
from liane.demo.itinerary import seeded_moves
from liane.demo.laboratory import correction_of, report_message, sample_at
from liane.demo.letters import DISCHARGE, cda_of, pdf_of, story_letter
from liane.demo.people import Person, population, present

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 22, 2, 12, tzinfo=UTC)
JEANNE = 12


@pytest.fixture(scope="module")
def jeanne() -> Person:
    return present(NOW.date())[JEANNE]


def read(message: bytes) -> hl7.Message:
    return hl7.parse(message.decode())


def test_text_is_escaped_and_encoded_text_is_left_alone():
    assert encoded("a|b^c&d~e\\f") == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f"
    assert parts("x^y", Raw("a&b"), None, None) == "x\\S\\y^a&b"
    assert repeats("a", None, "b") == "a~b"
    assert segment("PID", {3: "x"}) == "PID|||x"


def test_every_message_of_the_arrivals_is_well_formed_and_has_its_own_number():
    seen = set()
    for person in present(NOW.date())[::9]:
        for parcel in arrival(person, NOW):
            assert parcel.control_id not in seen
            seen.add(parcel.control_id)
            if parcel.kind != "hl7":
                continue
            message = read(parcel.payload)
            header = message.segment("MSH")
            assert str(header[10]) == parcel.control_id
            assert len(parcel.control_id) <= 20
            assert str(header[18]) == "UNICODE UTF-8"
            assert parcel.payload.endswith(b"\r")
            assert b"\n" not in parcel.payload


def test_an_admission_says_who_where_and_which_movement(jeanne):
    move = seeded_moves(jeanne, NOW)[-1]
    message = read(movement_message(jeanne, move, "C1", move.at))
    assert str(message.segment("MSH")[12]) == "2.5^FRA^2.11"
    assert str(message.segment("MSH")[9]) == "ADT^A02^ADT_A02"
    pid = message.segment("PID")
    numbers = str(pid[3]).split("~")
    assert numbers[0] == "0004812337^^^CHU&1.2.250.1.999.1.1&ISO^PI"
    assert numbers[1] == f"{jeanne.ins}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS"
    assert str(pid[5]) == "DUBREUIL^Jeanne^Jeanne^^^^L~MOREL^Jeanne^^^^^D"
    assert str(pid[7]), str(pid[8]) == ("19480314", "F")
    assert str(pid[11]).split("~")[1] == f"^^^^^^BDL^^{jeanne.place.cog}"
    assert str(pid[32]) == "VALI"
    pv1 = message.segment("PV1")
    assert str(pv1[3]).startswith("2101^312^1^CHU")
    assert str(pv1[19]).startswith(f"{NOW:%y}118204^^^CHU&1.2.250.1.999.2.1&ISO^VN")
    zbe = message.segment("ZBE")
    assert (str(zbe[4]), str(zbe[5]), str(zbe[9])) == ("INSERT", "N", "HMS")
    assert str(zbe[7]).split("^")[9] == "2101"


def test_every_movement_has_a_number_of_its_own():
    keys = [m.key for person in present(NOW.date()) for m in seeded_moves(person, NOW)]
    assert len(keys) == len(set(keys)) > 500


def test_movements_follow_one_another_and_never_lie_in_the_future():
    for person in present(NOW.date()):
        times = [move.at for move in seeded_moves(person, NOW)]
        assert times == sorted(times)
        assert times[-1] <= NOW


def test_taking_a_movement_back_names_it(jeanne):
    move = seeded_moves(jeanne, NOW)[-1]
    message = read(movement_message(jeanne, move.cancelled(), "C2", NOW))
    zbe = message.segment("ZBE")
    assert str(message.segment("MSH")[9]).startswith("ADT^A12")
    assert (str(zbe[4]), str(zbe[6])) == ("CANCEL", "A02")
    assert str(zbe[1]).split("^")[0] == move.key


def test_a_report_has_codes_units_ranges_and_flags(jeanne):
    move = seeded_moves(jeanne, NOW)[-1]
    sample = sample_at(jeanne, move, "sepsis_urinaire", 63, "B1")
    message = read(report_message(sample, "C3"))
    [crp] = [one for one in message.segments("OBX") if str(one[3]).startswith("1988-5^")]
    assert str(crp[5]) == "184"
    assert str(crp[6]) == "mg/L^mg/L^UCUM"
    assert (str(crp[7]), str(crp[8]), str(crp[11])) == ("<5", "HH", "F")
    [potassium] = [one for one in message.segments("OBX") if str(one[3]).startswith("2823-3^")]
    assert (str(potassium[5]), str(potassium[7])) == ("4.1", "3.5-5.1")


def test_a_correction_keeps_the_order_and_marks_the_changed_value(jeanne):
    move = seeded_moves(jeanne, NOW)[-1]
    sample = sample_at(jeanne, move, "sepsis_urinaire", 63, "B1")
    message = read(report_message(correction_of(sample, NOW), "C4"))
    changed = [one for one in message.segments("OBX") if str(one[11]) == "C"]
    assert [str(one[3]).split("^")[0] for one in changed] == ["2823-3"]
    assert {str(one[3]) for one in message.segments("OBR")} == {"B1"}


def test_a_letter_is_a_pdf_whose_words_can_be_read(jeanne):
    move = seeded_moves(jeanne, NOW)[-1]
    letter = story_letter("77", DISCHARGE, jeanne, move.unit, "sepsis_urinaire", NOW)
    message = read(letter_message(letter, move, "C5"))
    obx = message.segment("OBX")
    kind, form, encoding, content = [*str(obx[5]).split("^"), ""][1:5]
    assert (kind, form, encoding) == ("application", "pdf", "Base64")
    text = PdfReader(BytesIO(base64.b64decode(content))).pages[0].extract_text()
    assert "DUBREUIL (nom utilisé : MOREL) Jeanne" in text
    assert "Antibiothérapie par ceftriaxone" in text.replace("\n", " ")
    assert str(message.segment("TXA")[12]) == letter.unique_id


def test_the_same_letter_has_the_same_bytes(jeanne):
    unit = seeded_moves(jeanne, NOW)[-1].unit
    letter = story_letter("77", DISCHARGE, jeanne, unit, "sepsis_urinaire", NOW)
    assert pdf_of(letter) == pdf_of(letter)


def test_the_cda_form_names_the_person_as_the_message_does(jeanne):
    unit = seeded_moves(jeanne, NOW)[-1].unit
    letter = story_letter("78", DISCHARGE, jeanne, unit, "sepsis_urinaire", NOW)
    tree = etree.fromstring(cda_of(letter))
    names = {"c": "urn:hl7-org:v3"}
    ids = {
        one.get("root"): one.get("extension")
        for one in tree.iterfind(".//c:patientRole/c:id", names)
    }
    assert ids == {"1.2.250.1.213.1.4.10": jeanne.ins, "1.2.250.1.999.1.1": "0004812337"}
    text = tree.find(".//c:nonXMLBody/c:text", names)
    assert base64.b64decode(text.text).startswith(b"%PDF")


def test_names_with_apostrophes_and_accents_travel_unharmed():
    person = next(one for one in population(NOW.date()) if one.family == "N'GUESSAN-D'ALMEIDA")
    model = present(NOW.date())[40]
    move = replace(seeded_moves(model, NOW)[0], venue="1")
    home = move.unit.establishment.id
    known = replace(person, patient_numbers=((home, "1"),))
    message = read(movement_message(known, move, "C6", NOW))
    assert str(message.segment("PID")[5]).startswith("N'GUESSAN-D'ALMEIDA^Anne-Cécile^")


def test_answers_are_read_whatever_follows_the_code():
    answer = read_answer(b"MSH|^~\\&|A|B\rMSA|AE|C7|pas de patient\rERR|\r")
    assert (answer.code, answer.control_id, answer.text) == ("AE", "C7", "pas de patient")
    with pytest.raises(ValueError, match="MSA"):
        read_answer(b"MSH|^~\\&|A|B\r")
