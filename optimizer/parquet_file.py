"""Coded rows as a Parquet file, written piece by piece."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from optimizer.coded_rows import CodedRows
from optimizer.file_pieces import Piece


class ParquetFile:
    """A new file with the columns `own`, which codes do not tell, and those of the book; a Writer.

    Leaving the context completes the file. A row group is a piece.
    """

    def __init__(self, path: Path, own: list[str], coded: CodedRows) -> None:
        arrays = coded.book_arrays()
        # Texts go in as numbers of a dictionary; in the file, and for its readers, they are plain texts.
        self._book = [a.dictionary_encode() if pa.types.is_string(a.type) else a for a in arrays.values()]
        ids = [(name, coded.id_type if name == "customer_id" else pa.string()) for name in own]
        told = zip(arrays, (values.type for values in self._book), strict=True)
        self._own, self._schema = own, pa.schema([*ids, *told])
        # Ids are seldom the same twice, and digests cannot be made smaller.
        packed = {name: "none" if name == "contact_id" else "snappy" for name in self._schema.names}
        self._file = pq.ParquetWriter(
            path, self._schema, use_dictionary=list(arrays), compression=packed, store_schema=False
        )

    def write(self, piece: Piece) -> None:
        """Write the rows that come next."""
        place = pa.array(piece.place)
        told = [
            pa.DictionaryArray.from_arrays(values.indices.take(place), values.dictionary)
            if isinstance(values, pa.DictionaryArray)
            else values.take(place)
            for values in self._book
        ]
        own = [piece.own[name] for name in self._own]
        self._file.write_batch(pa.RecordBatch.from_arrays([*own, *told], schema=self._schema))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
