"""What all criteria have in common."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from psycopg import sql

from scoring.problems import Reader
from scoring.rules.base import Field
from scoring.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A criterion with its parameters. ``count`` is how much of it earns the badge."""

    count: int

    name: ClassVar[str]
    label: ClassVar[Any]
    fields: ClassVar[tuple[Field, ...]]
    # The columns of ``fact`` that ``steps`` asks for beyond who did what when.
    columns: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        """Read the parameters; problems are collected in the reader."""

    @abstractmethod
    def parameters_json(self) -> Mapping[str, Any]:
        """The parameters as they are stored."""

    @abstractmethod
    def sentence(self, vocabulary: Vocabulary) -> Any:
        """The criterion in words, for customers."""

    @abstractmethod
    def steps(self, vocabulary: Vocabulary) -> sql.Composable:
        """A SELECT of what leads to the badge: customer_id, local_date, step (whole, above 0).

        It reads ``fact`` and ``subject``. The badge is earned on the local date on which the running sum
        of steps, by local date, reaches ``count``; until then the sum is its progress.
        """

    @abstractmethod
    def kinds(self, vocabulary: Vocabulary) -> list[int]:
        """The kinds that ``fact`` must hold."""
