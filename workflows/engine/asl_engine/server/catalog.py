"""State machines, revisions, versions and aliases, as documents of the store.

A *revision* has all that an update can change; it is written once, so executions keep theirs.
"""

import threading
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from asl_engine.jsontext import Json
from asl_engine.server.validation import Account, api_error, parse_arn
from asl_engine.store import Store
from asl_engine.store.records import Document

MACHINE, REVISION, VERSION, ALIAS, TAGS = "state_machine", "revision", "version", "alias", "tags"
PAGE = 1000

changing = threading.RLock()  # a change reads the machine first, so only one may run


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The fields that an update can change. The first has no ``revision_id``."""

    definition: str
    role_arn: str
    logging: Json
    tracing: Json
    encryption: Json
    revision_id: str | None = None
    updated_ms: int = 0

    def content(self) -> tuple[Json, ...]:
        """Return the fields in which revisions differ."""
        return (self.definition, self.role_arn, self.logging, self.tracing, self.encryption)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One state machine. ``revision`` is the key of the current one."""

    arn: str
    name: str
    type: str
    created_ms: int
    revision: str
    revision_number: int = 0
    last_version: int = 0
    deleting: bool = False
    published_first: bool = False  # created with publish
    first_description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One published version."""

    arn: str
    number: int
    machine_arn: str
    revision: str
    created_ms: int
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """One alias. ``routes`` is the API's routingConfiguration."""

    arn: str
    name: str
    machine_arn: str
    routes: list[Json] = field(default_factory=list)
    created_ms: int = 0
    updated_ms: int = 0
    description: str | None = None


_KINDS: dict[type[Any], str] = {Machine: MACHINE, Version: VERSION, Alias: ALIAS}


def account_key(account: Account) -> str:
    """Return the parent of an account's documents."""
    return f"{account.region}/{account.account}"


def sortable(number: int) -> str:
    """Return a number as text that sorts numerically."""
    return f"{number:020d}"


class Catalog:
    """Reads and writes state machines, versions and aliases."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def machine(self, arn: str, shown: str | None = None) -> Machine:
        """Return a state machine by its unqualified ARN. Raises StateMachineDoesNotExist with the ARN ``shown``."""
        machine = self.find(Machine, arn)
        if machine is None:
            raise api_error("StateMachineDoesNotExist", shown or arn)
        return machine

    def find[T: (Machine, Version, Alias)](self, kind: type[T], arn: str) -> T | None:
        """Return a state machine, version or alias, or None."""
        document = self._store.document(_KINDS[kind], arn)
        return None if document is None else kind(**document.body)

    def all_of[T: (Version, Alias)](self, kind: type[T], machine_arn: str, *, newest_first: bool = False) -> list[T]:
        """Return all versions or aliases of a machine, oldest first unless ``newest_first``."""
        found = self._store.documents(_KINDS[kind], machine_arn, limit=PAGE, descending=newest_first)
        return [kind(**document.body) for document in found]

    def changeable(self, text: str) -> Machine:
        """Return the machine to change. Raises StateMachineDoesNotExist, also for a qualified ARN.

        Raises StateMachineDeleting.
        """
        parse_arn(text, "stateMachine")
        machine = self.machine(text)
        if machine.deleting:
            raise api_error("StateMachineDeleting", text)
        return machine

    def put_machine(self, machine: Machine, account: Account) -> None:
        """Write a state machine."""
        body = asdict(machine)
        sort = sortable(machine.created_ms)
        self._store.put_document(Document(MACHINE, machine.arn, body, account_key(account), sort))

    def revision(self, key: str) -> Revision:
        """Return a revision."""
        document = self._store.document(REVISION, key)
        assert document is not None  # noqa: S101  a revision is never deleted
        return Revision(**document.body)

    def revision_at(self, machine_arn: str, at_ms: int) -> Revision | None:
        """Return the revision of a machine, deleted or not, at a time."""
        for document in self._store.documents(REVISION, machine_arn, limit=PAGE, descending=True):
            if document.body["updated_ms"] <= at_ms:
                return Revision(**document.body)
        return None

    def put_revision(self, machine: Machine, revision: Revision) -> Machine:
        """Write the machine's next revision; return the machine with it, not yet written."""
        number = machine.revision_number + 1
        key = f"{machine.arn}#{machine.created_ms}.{number}"
        sort = f"{sortable(revision.updated_ms)}.{sortable(number)}"
        self._store.put_document(Document(REVISION, key, asdict(revision), machine.arn, sort))
        return replace(machine, revision=key, revision_number=number)

    def publish(self, machine: Machine, description: str | None, now_ms: int) -> tuple[Machine, Version]:
        """Return the version of the machine's current revision, written if it is new."""
        for version in self.all_of(Version, machine.arn, newest_first=True):
            if version.revision == machine.revision:
                return replace(machine, last_version=max(machine.last_version, version.number)), version
        number = machine.last_version + 1
        version = Version(
            arn=f"{machine.arn}:{number}",
            number=number,
            machine_arn=machine.arn,
            revision=machine.revision,
            created_ms=now_ms,
            description=description,
        )
        self._store.put_document(Document(VERSION, version.arn, asdict(version), machine.arn, sortable(number)))
        return replace(machine, last_version=number), version

    def put_alias(self, alias: Alias) -> None:
        """Write an alias."""
        sort = sortable(alias.created_ms)
        self._store.put_document(Document(ALIAS, alias.arn, asdict(alias), alias.machine_arn, sort))

    def delete_machine(self, arn: str) -> None:
        """Delete a machine, its versions, aliases and tags, but not its revisions."""
        for version in self.all_of(Version, arn):
            self._store.delete_document(VERSION, version.arn)
        for alias in self.all_of(Alias, arn):
            self._store.delete_document(ALIAS, alias.arn)
        self._store.delete_document(TAGS, arn)
        self._store.delete_document(MACHINE, arn)
