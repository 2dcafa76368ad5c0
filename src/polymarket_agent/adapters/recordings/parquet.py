"""Parquet columns as plain lists of exact integers, a batch at a time. The only importer of pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from polymarket_agent.domain.money import MICRO
from polymarket_agent.errors import RecordingError

__all__ = ["PARQUET_MAGIC", "batches", "column_names", "integers", "micros", "millis", "sorted_rows", "texts"]

PARQUET_MAGIC = b"PAR1"
T = TypeVar("T")

_BATCH_ROWS = 65_536
# Rows of a table that has to be sorted, and so stands in memory as a whole (some 30 bytes a row).
_MAX_TABLE_ROWS = 50_000_000


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise RecordingError(
            "this recording is a Parquet file, and pyarrow, which reads those, is not installed",
            hint="pip install 'polymarket-agent[data]'",
        ) from error
    return pa


def _guarded(path: Path, read: Callable[[Any], Any]) -> Any:
    pa = _pyarrow()
    try:
        return read(pa)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        cause = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise RecordingError(
            f"{path} is a damaged or cut Parquet file: {cause}", hint="record or download it again"
        ) from error


def _open(path: Path) -> Any:
    return _guarded(path, lambda pa: pa.parquet.ParquetFile(path))


def column_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises:
        RecordingError: pyarrow is missing, or the file is damaged.
    """
    with _open(path) as file:
        return tuple(_guarded(path, lambda _: file.schema_arrow.names))


def batches(
    path: Path,
    columns: Sequence[str],
    decode: Callable[[Any, Any], T],
    rest: Callable[[Any], T | None] = lambda _: None,
) -> Iterator[T]:
    """Yield `decode(pa, batch)` for record batches of some columns, in the order of the file, then `rest(pa)`.

    Raises:
        RecordingError: the file is damaged; batches before the damage have been yielded.
    """

    def following(pa: Any) -> T | None:
        batch = next(reader, None)
        return None if batch is None else decode(pa, batch)

    with _open(path) as file:
        reader = _guarded(path, lambda _: file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)))
        while (decoded := _guarded(path, following)) is not None:
            yield decoded
        if (left := _guarded(path, rest)) is not None:
            yield left


def sorted_rows(
    path: Path, columns: Sequence[str], *, sort_by: str, decode: Callable[[Any, Any], T], batch_rows: int = _BATCH_ROWS
) -> Iterator[T]:
    """Yield `decode(pa, table)` for slices of a whole table sorted by time, equal times in the order of the file.

    Text columns become dictionaries, so a row in memory costs a few bytes.

    Raises:
        RecordingError: the file is damaged, or has more rows than can be sorted.
    """

    def read(pa: Any) -> Any:
        with pa.parquet.ParquetFile(path) as file:
            if file.metadata.num_rows > _MAX_TABLE_ROWS:
                raise RecordingError(
                    f"{path} has {file.metadata.num_rows} rows; at most {_MAX_TABLE_ROWS} can be sorted"
                )
            table = file.read(columns=list(columns))
        for index, field in enumerate(table.schema):
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
                values = pa.compute.dictionary_encode(table.column(index).cast(pa.string())).unify_dictionaries()
                table = table.set_column(index, field.name, values)
        numbered = table.append_column("row", pa.array(range(table.num_rows), pa.int64()))
        return numbered.take(
            pa.compute.sort_indices(numbered, sort_keys=[(sort_by, "ascending"), ("row", "ascending")])
        )

    table = _guarded(path, read)
    for start in range(0, table.num_rows, batch_rows):
        part = table.slice(start, batch_rows)
        yield _guarded(path, partial(_applied, decode, part))


def _applied(decode: Callable[[Any, Any], T], part: Any, pa: Any) -> T:
    return decode(pa, part)


def _flat(column: Any) -> Any:
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


def integers(column: Any) -> list[int]:
    """Return a column of whole numbers; null becomes 0 (mask those before).

    The buffer is read directly: several times faster than one Python object a value from Arrow.
    """
    pa = _pyarrow()
    array = pa.compute.fill_null(_flat(column).cast(pa.int64(), safe=False), 0)
    view = memoryview(array.buffers()[1]).cast("q")
    return view[array.offset : array.offset + len(array)].tolist()


def micros(column: Any) -> tuple[Any, Any]:
    """Return a column of numbers as micro-units, and a mask of where they are exact, finite and not negative."""
    pa = _pyarrow()
    pc = pa.compute
    values = pc.cast(_flat(column), pa.float64())
    scaled = pc.round(pc.multiply(values, float(MICRO)))
    exact = pc.and_(pc.equal(pc.divide(scaled, float(MICRO)), values), pc.less(scaled, 1e17))
    exact = pc.fill_null(pc.and_(exact, pc.greater_equal(scaled, 0.0)), fill_value=False)
    return pc.cast(pc.if_else(exact, scaled, 0.0), pa.int64()), exact


def millis(column: Any) -> Any:
    """Return a column of times as whole milliseconds: time stamps of any unit, or integers that are such already."""
    pa = _pyarrow()
    flat = _flat(column)
    if pa.types.is_timestamp(flat.type):
        flat = pa.compute.cast(flat, pa.timestamp("ms", tz=flat.type.tz), safe=False)
    return flat.cast(pa.int64())


def texts(column: Any) -> tuple[list[str], list[int]]:
    """Return the distinct texts of a column and each row's index among them; null becomes the text ""."""
    pa = _pyarrow()
    flat = _flat(column)
    if not pa.types.is_dictionary(flat.type):
        flat = pa.compute.dictionary_encode(pa.compute.fill_null(flat.cast(pa.string()), ""))
    return [value or "" for value in flat.dictionary.to_pylist()], integers(flat.indices)
