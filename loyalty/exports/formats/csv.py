"""CSV in UTF-8, written by the database itself.

A text that begins with = + - @, a tab or a line end would be taken for a formula by spreadsheet
programs; an apostrophe goes before it. Numbers and dates stay what they are.
"""

from collections.abc import Iterator

from django.db import connection
from psycopg import sql

from loyalty.exports.datasets import Column, Dataset

PIECE = 64 * 1024
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class Csv:
    """Writes a dataset as CSV with a line of column names."""

    name = "csv"
    label = "CSV"
    extension = "csv"
    content_type = "text/csv; charset=utf-8"

    def write(self, dataset: Dataset) -> Iterator[bytes]:
        """The file in pieces of about 64 kB.

        Holds no more than one piece, however many rows there are. The connection is busy until
        the last piece is taken or the iterator closed.
        """
        statement = sql.SQL(
            "COPY (SELECT {cells} FROM ({rows}) AS entry) TO STDOUT (FORMAT csv)"
        ).format(cells=sql.SQL(", ").join(map(_cell, dataset.columns)), rows=dataset.statement)
        piece = [",".join(column.name for column in dataset.columns).encode() + b"\n"]
        size = 0
        connection.ensure_connection()
        with (
            connection.connection.cursor() as cursor,
            cursor.copy(statement, dataset.parameters) as copy,
        ):
            for line in copy:
                piece.append(line)
                size += len(line)
                if size >= PIECE:
                    yield b"".join(piece)
                    piece, size = [], 0
        yield b"".join(piece)


def _cell(column: Column) -> sql.Composable:
    value = sql.Identifier("entry", column.name)
    if not column.is_text:
        return value
    starts = sql.SQL(", ").join(map(sql.Literal, FORMULA_STARTS))
    return sql.SQL("CASE WHEN left({0}, 1) IN ({1}) THEN '''' || {0} ELSE {0} END").format(
        value, starts
    )
