"""What only a project's export tells: the component that a cell imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class UnreadableExport(ValueError):
    """The export is not the `.hex.yaml` that is publicly known."""


class _Component(BaseModel):
    id: str


class _Config(BaseModel):
    component: _Component | None = None
    cells: tuple[_Cell, ...] = ()
    """Cells in a COLLAPSIBLE."""


class _Cell(BaseModel):
    # A cell of an unknown kind may lack what other kinds have: only ids are needed.
    model_config = ConfigDict(populate_by_name=True)

    cell_id: str | None = Field(default=None, alias="cellId")
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
    try:
        document = _Document.model_validate(yaml.safe_load(content))
    except yaml.YAMLError as error:
        raise UnreadableExport(f"the export is not YAML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableExport(f"{place or 'the export'}: {first['msg']}") from None
    return dict(_imports(document.cells))


def _imports(cells: Iterable[_Cell]) -> Iterator[tuple[str, str]]:
    for cell in cells:
        if cell.config is None:
            continue
        if cell.config.component and cell.cell_id:
            yield cell.cell_id, cell.config.component.id
        yield from _imports(cell.config.cells)
