"""The requirements that terminals are judged by: ``catalogue()`` gives them by identifier.

The data is ``catalogue.yaml`` beside this file; what the words mean stands in docs/requirements.md.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import BadInput

Observable = Literal["wire", "host_journal", "screen", "slip", "cashier", "counters", "power", "chip"]
Feature = Literal["offline", "chip", "identities", "backup_host"]


class Requirement(BaseModel):
    """One rule. ``en`` and ``zh`` say it in one sentence; ``decided``: this version has a checker for it.

    ``only_with``: it speaks of terminals that have this; a model that declares none of it is not asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Annotated[str, Field(pattern=r"^[A-Z]{3}-[0-9]{2}$")]
    can_be_waived: bool
    needs: list[Observable]
    only_with: Feature | None = None
    decided: bool
    en: str
    zh: str

    @property
    def group(self) -> str:
        """MSG, MON, STA, REC..."""
        return self.id.partition("-")[0]

    def text(self, language: str) -> str:
        """The sentence in "en" or "zh"."""
        return self.zh if language == "zh" else self.en


def load(text: str, where: str) -> Mapping[str, Requirement]:
    """Requirements by id, in the order of the text. BadInput where it is no such list, or names an id twice."""
    try:
        found = TypeAdapter(list[Requirement]).validate_python(YAML(typ="safe").load(text))
    except (ValidationError, YAMLError) as error:
        raise BadInput(f"no catalogue of requirements: {error}", where=where) from None
    by_id: dict[str, Requirement] = {}
    for requirement in found:
        if requirement.id in by_id:
            raise BadInput(f"{requirement.id} stands there twice", where=where)
        by_id[requirement.id] = requirement
    return MappingProxyType(by_id)


@functools.cache
def catalogue() -> Mapping[str, Requirement]:
    """The catalogue as shipped."""
    source = resources.files(__name__).joinpath("catalogue.yaml")
    return load(source.read_text(encoding="utf-8"), str(source))
