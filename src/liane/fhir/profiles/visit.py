"""What does validation carry with it while it walks through one resource?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from liane.fhir.profiles.findings import Finding
from liane.fhir.references import parse

if TYPE_CHECKING:
    from liane.fhir.profiles.catalogue import Catalogue

Json = dict[str, Any]


class Question(NamedTuple):
    """A code that the definitions at hand cannot judge: somebody with the code system may."""

    path: str
    value_set: str
    codings: tuple[tuple[str | None, str], ...]
    strength: str
    profile: str


class Pointer(NamedTuple):
    """A reference to a resource of this server, which may or may not be there."""

    path: str
    type: str
    id: str


class Entries:
    """The resources of a Bundle, found by `fullUrl` and by `Type/id`."""

    def __init__(self, bundle: Json) -> None:
        self.by_address: dict[str, Json] = {}
        for entry in bundle.get("entry", []):
            resource, url = entry.get("resource"), entry.get("fullUrl")
            if not isinstance(resource, dict):
                continue
            if isinstance(url, str):
                self.by_address[url] = resource
            if isinstance(resource.get("id"), str):
                plain = f"{resource.get('resourceType')}/{resource['id']}"
                self.by_address.setdefault(plain, resource)


class Inside:
    """The contained resources of a resource, found by id."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._by_id: dict[str, Json] | None = None

    def find(self, id_: str) -> Json | None:
        """The contained resource of that id."""
        if self._by_id is None:
            contained = self._root.get("contained", ())
            self._by_id = {
                one["id"]: one
                for one in contained
                if type(one) is dict and type(one.get("id")) is str
            }
        return self._by_id.get(id_)


@dataclass(slots=True)
class Visit:
    """One walk. Nested resources get a visit of their own that shares the lists."""

    catalogue: Catalogue
    resource: Json
    path: str
    root: Json
    """The resource that contains it, or itself."""
    inside: Inside
    entries: Entries | None = None
    issues: list[Finding] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    pointers: list[Pointer] = field(default_factory=list)
    thorough: bool = True
    """Whether profiles and definitions of extensions are checked too."""
    profile: str = ""
    """The profile that is being checked; empty for R4 itself."""
    depth: int = 0
    known: dict[tuple[int, str], bool] = field(default_factory=dict)
    """Verdicts already reached, by the object looked at and the profile."""

    def into(self, resource: Json, path: str, *, contained: bool) -> Visit:
        """The visit of a resource inside this one."""
        return Visit(
            self.catalogue,
            resource,
            path,
            self.root if contained else resource,
            self.inside if contained else Inside(resource),
            self.entries,
            self.issues,
            self.questions,
            self.pointers,
            self.thorough,
            self.profile,
            self.depth + 1,
            self.known,
        )

    def quiet(self) -> Visit:
        """A visit that finds out without telling: for slices and alternative profiles."""
        return Visit(
            self.catalogue,
            self.resource,
            self.path,
            self.root,
            self.inside,
            self.entries,
            [],
            [],
            [],
            self.thorough,
            self.profile,
            self.depth + 1,
            self.known,
        )

    @property
    def has_errors(self) -> bool:
        """Whether something found so far is an error."""
        return any(one.severity == "error" for one in self.issues)

    def resolve(self, literal: str) -> Json | None:
        """The resource a reference points to, inside the container or the Bundle."""
        if literal.startswith("#"):
            return self.root if literal == "#" else self.inside.find(literal[1:])
        if self.entries is None:
            return None
        found = self.entries.by_address.get(literal)
        if found is None:
            pointed = parse(literal)
            if pointed.type is not None:
                found = self.entries.by_address.get(f"{pointed.type}/{pointed.id}")
        return found
