"""The formats of exports, one file each. A new format is a file here and its line in this list."""

from collections.abc import Iterator
from typing import Protocol

from loyalty.exports.datasets import Dataset
from loyalty.exports.formats.csv import Csv


class Format(Protocol):
    """What a format offers: how its files are named and served, and how it writes."""

    name: str
    label: str
    extension: str
    content_type: str

    def write(self, dataset: Dataset) -> Iterator[bytes]:
        """The file in pieces, without ever holding it whole."""


FORMATS: dict[str, Format] = {format_.name: format_ for format_ in (Csv(),)}
