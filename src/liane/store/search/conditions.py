"""How does one criterion become conditions on rows, and which index can lead to them?

Reading uses the same keys as writing (`liane.store.keys`), so what is filed is what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from liane.base.text import fold
from liane.fhir import definitions
from liane.fhir.references import parse as parse_reference
from liane.store.keys import TEXT_LIMIT, WORDED, key, one_patient, unit_keys
from liane.store.search.intervals import number_rows, updated_test
from liane.store.search.model import Criterion
from liane.store.search.parsing import refused, split, unescape
from liane.store.search.sqltext import Arguments
from liane.store.search.ways import Condition, dates_condition, hashed_condition, hasher


def condition(tenant: int, type_: str, asked: Criterion) -> Condition:
    """The condition of a criterion without chain."""
    return _Making(tenant, type_, asked).make()


class _Making:
    def __init__(self, tenant: int, type_: str, asked: Criterion) -> None:
        self.tenant = tenant
        self.type = type_
        self.asked = asked

    def make(self) -> Condition:
        param, modifier = self.asked.param, self.asked.modifier
        if param == "_id":
            ids = [unescape(value) for value in self.asked.values]
            return Condition(ids=ids)
        if param == "_lastUpdated":
            return Condition(lambda a: updated_test(a, self.asked.values))
        if modifier == "missing":
            return self._missing()
        if param in ("_content", "_text") or modifier == "text":
            return self._words()
        make: Callable[[], Condition] = getattr(self, f"_{self.asked.kind}")
        return make()

    def _names(self) -> list[str]:
        """A `combo-` parameter asks the plain one and that of the components (R4 Observation)."""
        name = self.asked.param
        if name.startswith("combo-"):
            plain = name.removeprefix("combo-")
            return [plain, f"component-{plain}"]
        return [name]

    def _keys(self, form: str, *parts: str | None) -> list[int]:
        return [key(self.tenant, self.type, name, form, *parts) for name in self._names()]

    def _missing(self) -> Condition:
        truth = [value.lower() for value in self.asked.values]
        if truth not in (["true"], ["false"]):
            raise refused(":missing attend true ou false.", ":missing expects true or false.")
        present = self._keys("present")
        no = "not " if truth == ["true"] else ""
        return Condition(lambda a: f"{no}(r.keys && {a.add(present, 'bigint[]')})")

    def _words(self) -> Condition:
        if self.type not in WORDED and self.type != "Observation":
            raise refused(
                f"Les textes de {self.type} ne sont pas indexés.",
                f"The words of {self.type} are not indexed.",
            )
        text = " or ".join(fold(value) for value in self.asked.values)
        limit = 5000

        def way(a: Arguments) -> str:
            wanted = f"websearch_to_tsquery('french', {a.add(text, 'text')})"
            return f"select record.find_words({wanted}, {a.add(self.type, 'text')}, {limit})"

        def test(a: Arguments) -> str:
            return (
                "exists (select from record.content c where c.rid = r.rid and c.words @@ "
                f"websearch_to_tsquery('french', {a.add(text, 'text')}))"
            )

        return Condition(test, way)

    def _token(self) -> Condition:
        exact: list[int] = []
        leading: list[int] = []
        bare = True
        for value in self.asked.values:
            system, code = _system_and_code(value)
            of_type = self.asked.modifier == "of-type"
            names = [f"{n}:of-type" for n in self._names()] if of_type else self._names()
            for name in names:
                hashed = hasher(self.tenant, self.type, name)
                if code is None:
                    exact.append(hashed("s", system))
                    bare = False
                    continue
                leading.append(hashed("c", code))
                exact.append(hashed("c", code) if system == "" else hashed("sc", system, code))
        if self.asked.modifier == "not":
            return Condition(lambda a: f"not (r.keys && {a.add(exact, 'bigint[]')})")
        return hashed_condition(exact, leading if bare else None)

    def _uri(self) -> Condition:
        hashes = [h for value in self.asked.values for h in self._keys("u", value)]
        return hashed_condition(hashes, hashes)

    def _reference(self) -> Condition:
        if self.asked.modifier == "identifier":
            return self._reference_identifier()
        known = definitions.search_parameters(self.type)[self.asked.param]
        narrow = self.asked.modifier or None
        exact: list[int] = []
        patients: list[str] | None = []
        for value in self.asked.values:
            for target in _targets(unescape(value), narrow, known.targets):
                hashed = hasher(self.tenant, self.type, self.asked.param)
                if isinstance(target, str):
                    exact.append(hashed("ru", target))
                    patients = None
                    continue
                exact.append(hashed("r", *target))
                if target[0] != "Patient":
                    patients = None
                elif patients is not None:
                    patients.append(target[1])
        return self._reference_condition(exact, patients)

    def _reference_condition(self, exact: list[int], patients: list[str] | None) -> Condition:
        by_patient = self.asked.param in ("patient", "subject") and one_patient(self.type)
        if not by_patient:
            return hashed_condition(exact, exact)
        if patients:
            found = hashed_condition(exact, None)
            found.patients = patients
            return found
        every = [unescape(v).rpartition("/")[2] for v in self.asked.values]

        def way(a: Arguments) -> str:
            # A bare id may name the patient (in the row) or something else (in the index).
            return (
                f"select rid from record.ix where h = any({a.add(exact, 'bigint[]')}) union all "  # noqa: S608
                "select rid from record.resource where tenant = "
                "current_setting('liane.tenant')::smallint and type = "
                f"{a.add(self.type, 'text')} and patient = any({a.add(every, 'text[]')})"
            )

        return Condition(hashed_condition(exact, None).test, way)

    def _reference_identifier(self) -> Condition:
        exact, leading = [], []
        for value in self.asked.values:
            system, code = _system_and_code(value)
            if code is None:
                raise refused("Un identifiant est attendu.", "An identifier is expected.")
            leading += self._keys("ri", code)
            exact += self._keys("ri", code) if system == "" else self._keys("rsi", system, code)
        return hashed_condition(exact, leading)

    def _string(self) -> Condition:
        if self.asked.modifier == "exact":
            return self._exact_string()
        contains = self.asked.modifier == "contains"
        folded = [f for f in (fold(value)[:TEXT_LIMIT] for value in self.asked.values) if f]
        if not folded:
            raise refused("Un texte est attendu.", "A text is expected.")
        hashes = self._keys("t")

        def way(a: Arguments) -> str:
            column = "value"
            if contains:
                tests = [f"{column} like {a.add(f'%{_liked(f)}%', 'text')}" for f in folded]
            else:
                tests = [_begins(a, column, f) for f in folded]
            return (
                "select rid from record.ix_text where tenant = "  # noqa: S608
                "current_setting('liane.tenant')::smallint and "
                f"h = any({a.add(hashes, 'bigint[]')}) and ({' or '.join(tests)})"
            )

        return Condition(None, way)

    def _exact_string(self) -> Condition:
        exact = [h for value in self.asked.values for h in self._keys("x", value)]
        folded = [fold(value)[:TEXT_LIMIT] for value in self.asked.values]
        hashes = self._keys("t")

        def way(a: Arguments) -> str:
            return (
                "select rid from record.ix_text where tenant = "  # noqa: S608
                "current_setting('liane.tenant')::smallint and "
                f"h = any({a.add(hashes, 'bigint[]')}) and value = any({a.add(folded, 'text[]')})"
            )

        return Condition(hashed_condition(exact, None).test, way)

    def _date(self) -> Condition:
        return dates_condition(self.tenant, self.type, self.asked.param, [self.asked.values])

    def _number(self) -> Condition:
        hashes = (self._keys("n"), self._keys("n-range"))
        return Condition(None, lambda a: number_rows(a, hashes, self.asked.values))

    def _quantity(self) -> Condition:
        return self._amounts("n", [(None, value) for value in self.asked.values], [])

    def _amounts(
        self, form: str, values: list[tuple[str | None, str]], exact: list[int]
    ) -> Condition:
        """Numbers with units; each value may stand under a code of its own."""
        units: list[int] = []
        ways: list[Callable[[Arguments], str]] = []
        for code, value in values:
            number, system, unit = [*split(value, "|"), "", ""][:3]
            within = (code,) if code is not None else ()
            hashes = (self._keys(form, *within), self._keys(f"{form}-range", *within))
            ways.append(_number_way(hashes, number))
            if unit:
                for name in self._names():
                    hashed = hasher(self.tenant, self.type, name)
                    wanted = (unescape(system) or None, unescape(unit))
                    if code is not None:
                        units.append(hashed("cu", code, *wanted))
                    else:
                        units += unit_keys(hashed, *wanted) & {hashed("unit", *wanted)}

        def way(a: Arguments) -> str:
            return " union all ".join(one(a) for one in ways)

        tests = [group for group in (units, exact) if group]

        def test(a: Arguments) -> str:
            return " and ".join(f"r.keys && {a.add(group, 'bigint[]')}" for group in tests)

        return Condition(test if tests else None, way)

    def _composite(self) -> Condition:
        known = definitions.search_parameters(self.type)[self.asked.param]
        kinds = tuple(component.kind for component in known.components)
        pairs = [tuple(split(value, "$")) for value in self.asked.values]
        if kinds not in (("token", "quantity"), ("token", "token")) or any(
            len(pair) != 2 for pair in pairs
        ):
            raise refused(
                f"« {self.asked.param} » attend deux valeurs séparées par $.",
                f"'{self.asked.param}' expects two values separated by $.",
            )
        coded = [(_system_and_code(pair[0]), pair[1]) for pair in pairs]
        if kinds == ("token", "token"):
            return self._two_tokens(coded)
        exact = [
            h for (system, code), _ in coded if system != "" for h in self._keys("sc", system, code)
        ]
        return self._amounts("cn", [(code or "", value) for (_, code), value in coded], exact)

    def _two_tokens(self, coded: Iterable[tuple[tuple[str | None, str | None], str]]) -> Condition:
        exact, leading = [], []
        for (system, code), value in coded:
            second_system, second = _system_and_code(value)
            leading += self._keys("cc", code, second)
            exact += self._keys("scsc", system or None, code, second_system or None, second)
        return hashed_condition(exact, leading)


def _number_way(hashes: tuple[list[int], list[int]], number: str) -> Callable[[Arguments], str]:
    return lambda a: number_rows(a, hashes, [unescape(number)])


def _system_and_code(value: str) -> tuple[str | None, str | None]:
    """`code` gives ("", code), `s|code` both, `|code` (None, code) and `s|` (s, None)."""
    parts = split(value, "|")
    if len(parts) == 1:
        return "", unescape(parts[0])
    system, code = unescape(parts[0]), "|".join(unescape(part) for part in parts[1:])
    return system or None, code or None


def _targets(
    value: str, narrow: str | None, allowed: tuple[str, ...]
) -> list[tuple[str, str] | str]:
    """What a reference value may mean: (type, id) pairs, or a URL as a text."""
    found = parse_reference(value)
    if found.id is not None and found.type is not None and found.base is None:
        return [(found.type, found.id)]
    if found.base is not None or ":" in value or "/" in value:
        return [value]
    return [(type_, value) for type_ in ((narrow,) if narrow else allowed)]


def _liked(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _begins(a: Arguments, column: str, prefix: str) -> str:
    after = prefix[:-1] + chr(min(ord(prefix[-1]) + 1, 0x10FFFF))
    return f"({column} >= {a.add(prefix, 'text')} and {column} < {a.add(after, 'text')})"
