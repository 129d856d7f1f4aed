"""What only a project's export tells: the published cells, the component that a cell imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class UnreadableExport(ValueError):
    """The export is not the `.hex.yaml` that is publicly known."""


class _Component(BaseModel):
    id: str


@dataclass(frozen=True)
class ExportedCell:
    """A cell of the exported version, in the words of the cells endpoint."""

    static_id: str
    cell_type: str
    label: str | None
    source: str | None
    connection_id: str | None
    output_dataframe: str | None
    component_id: str | None


class _Config(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    component: _Component | None = None
    source: str | None = None
    connection_id: str | None = Field(default=None, alias="dataConnectionId")
    output_dataframe: str | None = Field(default=None, alias="resultVariableName")
    cells: tuple[_Cell, ...] = ()
    """Cells in a COLLAPSIBLE."""


class _Cell(BaseModel):
    # A cell of an unknown kind may lack what other kinds have: only ids are needed.
    model_config = ConfigDict(populate_by_name=True)

    cell_id: str | None = Field(default=None, alias="cellId")
    cell_type: str | None = Field(default=None, alias="cellType")
    label: str | None = Field(default=None, alias="cellLabel")
    config: _Config | None = None


class _Document(BaseModel):
    cells: tuple[_Cell, ...]


_Config.model_rebuild()


def component_ids(content: str) -> dict[str, str]:
    """The component's id of each cell that imports one, by the cell's static id.

    Args:
        content: a project in the `.hex.yaml` format, as the export endpoint gives it.

    Raises:
        UnreadableExport: it is not YAML, or has no list of cells.
    """
    return {
        cell.cell_id: cell.config.component.id
        for cell in _flat(_parsed(content).cells)
        if cell.cell_id and cell.config and cell.config.component
    }


def exported_cells(content: str) -> list[ExportedCell]:
    """The cells of the exported version in order, those inside of others after their holder.

    Raises:
        UnreadableExport: it is not YAML, has no list of cells, or a cell without id or type.
    """
    found = []
    for number, cell in enumerate(_flat(_parsed(content).cells)):
        if not cell.cell_id or not cell.cell_type:
            raise UnreadableExport(f"cell {number} of the export has no cellId or no cellType")
        config = cell.config or _Config()
        found.append(
            ExportedCell(
                static_id=cell.cell_id,
                cell_type=cell.cell_type,
                label=cell.label,
                source=config.source,
                connection_id=config.connection_id,
                output_dataframe=config.output_dataframe,
                component_id=config.component.id if config.component else None,
            )
        )
    return found


def _parsed(content: str) -> _Document:
    try:
        return _Document.model_validate(yaml.safe_load(content))
    except yaml.YAMLError as error:
        raise UnreadableExport(f"the export is not YAML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableExport(f"{place or 'the export'}: {first['msg']}") from None


def _flat(cells: Iterable[_Cell]) -> Iterator[_Cell]:
    for cell in cells:
        yield cell
        if cell.config is not None:
            yield from _flat(cell.config.cells)
