"""Which messages do the tests send? Invented people, test INS, written by hand."""

from __future__ import annotations

INS = "260017512345620"
IPP = "CHU&1.2.250.1.999.1.1&ISO"
VENUE = "CHU&1.2.250.1.999.2.1&ISO"


def msh(kind, control="1", at="20260301101500", extra="", app="GAM", charset="UNICODE UTF-8"):
    return f"MSH|^~\\&|{app}|CHU|LIANE|GHT|{at}||{kind}|{control}|P|2.5{extra or '^FRA^2.11'}|||||FRA|{charset}"


def pid(
    ipp="80001", family="HIRONDELLE", given="Zélie", birth="19480314", sex="F", ins="", rest=""
):
    national = f"~{ins}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS" if ins else ""
    return (
        f"PID|1||{ipp}^^^{IPP}^PI{national}||{family}^{given}^{given}^^^^L||{birth}|{sex}|||"
        f"3 rue des Tests^^VILLENEUVE^^99999^FRA^H~^^^^^^BDL^^99998{rest}"
    )


def adt(
    event,
    control,
    venue="V1",
    at="20260301100000",
    unit="3111",
    bed="12",
    zbe="",
    action="INSERT",
    key=None,
    patient=None,
    said=None,
    pv1="I",
    original="",
):
    structure = f"ADT^{event}"
    lines = [
        msh(structure, control, said or at),
        f"EVN||{said or at}||||{at}",
        patient or pid(),
        f"PV1|1|{pv1}|{unit}^{bed}^{bed}^CHU|R|||801^MERLE^Ada||||||||||||{venue}^^^{VENUE}^VN",
    ]
    if key is not None:
        lines.append(
            f"ZBE|{key}^MVT|{at}||{action}|N|{original}|Med^^^^^CHU^UF^^^{unit}|Soins^^^^^CHU^UF^^^{unit}|HMS"
        )
    return "\r".join(lines) + "\r"


def oru(
    control,
    value="4.2",
    status="F",
    at="20260301110000",
    said=None,
    ipp="80001",
    code="2823-3",
    order="L1",
):
    return (
        "\r".join(
            [
                msh("ORU^R01^ORU_R01", control, said or at, app="SIL"),
                pid(ipp),
                f"ORC|RE|P1^DPI|{order}^SIL",
                f"OBR|1|P1^DPI|{order}^SIL|IONO^Ionogramme^L|||{at}|||||||||||||||{at}||LAB|F",
                f"OBX|1|NM|{code}^Potassium^LN||{value}|mmol/L|3.5 - 5.1|N|||{status}|||{at}",
            ]
        )
        + "\r"
    )
