"""Links that open things in Hex."""

from __future__ import annotations

from hex_assets.hex.models import Project


def notebook_url(host: str, org_id: str, project_id: str) -> str:
    """The notebook view; the path that Hex's own query comments link to."""
    return f"{host}/{org_id}/hex/{project_id}/draft/logic"


def cell_url(host: str, org_id: str, project_id: str, cell_id: str) -> str:
    """A cell in the notebook view."""
    return f"{notebook_url(host, org_id, project_id)}?selectedCellId={cell_id}"


def project_url(host: str, org_id: str, project: Project) -> str:
    """The app of a published project, else the notebook; a component has no app."""
    if project.last_published_at is not None and project.type == "PROJECT":
        return f"{host}/{org_id}/app/{project.id}/latest"
    return notebook_url(host, org_id, project.id)
