"""Secrets: in the settings always `{env: NAME}`, in memory only where they are used."""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict, Field


class UnsetVariable(LookupError):
    """The environment variable that holds a secret is not set."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"environment variable {name} is not set; export it or put it into .env")


class Secret(BaseModel):
    """A reference to an environment variable. The value is never part of this object."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="name of the environment variable"
    )

    def value(self) -> str:
        """Read the secret now.

        Raises:
            UnsetVariable: the variable is missing or empty.
        """
        value = os.environ.get(self.env, "").strip()
        if not value:
            raise UnsetVariable(self.env)
        return value
