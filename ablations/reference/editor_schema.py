"""A JSON schema of study files, for editors: completion, descriptions, and mistakes as they are typed.

The schema of the study's own fields is pydantic's. That of the configuration differs, since `base`,
`set` and levels hold *settings*: fields by dotted name, and mappings that replace a component if they
name its kind and refine it if they do not (`simclr_core.config.overridden`).
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ablations.reference.entries import holds_list
from ablations.study import INHERITED, Study

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def study_schema() -> Schema:
    """The schema of a study file; what it accepts may still break a rule between fields."""
    from simclr_core.config import Config

    schema = Study.model_json_schema()
    models = schema["$defs"]
    for model in models.values():
        model["additionalProperties"] = False
    for item in _unions(schema):
        _kind_is_required(item)
    names = _dotted((Config,))
    plain = [name for name in names if "[" not in name]
    models |= {f"setting {name}": names[name] for name in plain}
    models |= {_full_name(model): _full(model) for model in _members()}
    models |= {_refined_name(family): _settings(family) for family in _families()}
    settings = _settings((Config,))
    models["settings"] = settings | {
        "properties": {name: {"$ref": f"#/$defs/setting {name}"} for name in plain}
    }
    schema["properties"]["base"] |= _at("settings")
    models["Scale"]["properties"]["set"] |= _at("settings")
    models["Scale"]["properties"]["operations"] |= _defaults_of_operations()
    models["Paired"]["properties"]["levels"]["additionalProperties"] = _at("settings")
    field = {"anyOf": [{"enum": plain}, *({"pattern": name} for name in names if "[" in name)]}
    for axis in ("Levels", "OrderedPairs"):
        models[axis]["properties"]["field"] |= field
    models["Levels"]["allOf"] = [_levels_of(name) for name in plain]
    return {"$schema": DIALECT, **schema}


def _at(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _unions(schema: Any) -> Iterator[Schema]:
    """Every choice by kind inside a schema."""
    if isinstance(schema, dict):
        inside: Mapping[str, Any] = schema
        if "discriminator" in inside:
            yield schema
        for value in inside.values():
            yield from _unions(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _unions(value)


def _kind_is_required(union: Schema) -> None:
    """Pydantic's schema takes a mapping without a kind; the model does not."""
    union["required"] = ["kind"]
    union.pop("discriminator")


def _levels_of(field: str) -> Schema:
    """The values of an axis are those of its field."""
    value = _at(f"setting {field}")
    levels = [{"type": "object", "additionalProperties": value}, {"type": "array", "items": value}]
    return {
        "if": {"properties": {"field": {"const": field}}},
        "then": {"properties": {"levels": {"anyOf": levels}}},
    }


def _defaults_of_operations() -> Schema:
    from simclr_core.augment import Symmetric
    from simclr_core.config import kind_of, models_of

    members = models_of(Symmetric.model_fields["operations"].annotation)
    kinds = {str(kind_of(model)): _settings((model,)) for model in members}
    return {"properties": kinds, "additionalProperties": False}


@cache
def _members() -> tuple[type[BaseModel], ...]:
    """Every member of a family of the configuration."""
    members = (model for family in _families() for model in family)
    return tuple(dict.fromkeys(model for model in members if "kind" in model.model_fields))


@cache
def _families() -> tuple[tuple[type[BaseModel], ...], ...]:
    """The models of each field of the configuration that has any."""
    from simclr_core.config import Config, models_of

    found: dict[tuple[type[BaseModel], ...], None] = {}

    def walk(model: type[BaseModel]) -> None:
        for field in model.model_fields.values():
            family = tuple(models_of(field.annotation))
            if family and family not in found:
                found[family] = None
                for inner in family:
                    walk(inner)

    walk(Config)
    return tuple(found)


def _full_name(model: type[BaseModel]) -> str:
    return f"component {model.__name__}"


def _refined_name(family: Iterable[type[BaseModel]]) -> str:
    return f"refined {' '.join(model.__name__ for model in family)}"


def _full(model: type[BaseModel]) -> Schema:
    """A component that is stated by its kind, with all that has no default."""
    own = _own_schema(model)
    fields = {name: _value(model, name) for name in model.model_fields if name != "kind"}
    return {
        "type": "object",
        "description": own.get("description", ""),
        "properties": {"kind": own["properties"]["kind"], **fields},
        "required": ["kind", *own.get("required", ())],
        "additionalProperties": False,
    }


def _settings(models: Iterable[type[BaseModel]]) -> Schema:
    """A mapping without a kind, which refines what is there: any fields of any of the models."""
    names = _dotted(models)
    return {
        "type": "object",
        "properties": {name: value for name, value in names.items() if "[" not in name},
        "patternProperties": {name: value for name, value in names.items() if "[" in name},
        "additionalProperties": False,
    }


def _dotted(models: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    """Dotted name -> its values. A name with the place of an item is a pattern, which has a `[`."""
    from simclr_core.config import models_of

    values: dict[str, list[Schema]] = {}
    for model in models:
        for name, field in model.model_fields.items():
            if name == "kind":
                continue
            values.setdefault(name, []).append(_value(model, name))
            inner = models_of(field.annotation)
            below = _dotted(inner) if inner else {}
            is_list = holds_list(field.annotation)
            if is_list and inner:
                values.setdefault(f"^{name}\\.[0-9]+$", []).append(_item(inner))
            for deeper, value in below.items():
                values.setdefault(_joined(name, deeper, is_list=is_list), []).append(value)
    return {name: _any_of(found) for name, found in values.items()}


def _joined(name: str, deeper: str, *, is_list: bool) -> str:
    if not is_list and "[" not in deeper:
        return f"{name}.{deeper}"
    end = deeper.strip("^$") if "[" in deeper else deeper.replace(".", "\\.")
    return f"^{name}\\.{'[0-9]+' + chr(92) + '.' if is_list else ''}{end}$"


def _value(model: type[BaseModel], name: str) -> Schema:
    """What a field of the configuration may be set to."""
    from simclr_core.config import models_of

    field = model.model_fields[name]
    inner = models_of(field.annotation)
    if not inner:
        return _own_schema(model)["properties"][name]
    described = {"description": field.description or ""}
    if holds_list(field.annotation):
        items = {"anyOf": [*(_at(_full_name(one)) for one in inner), _inherited()]}
        return {**described, "type": "array", "items": items, **_length(field)}
    null: list[Schema] = [{"type": "null"}] if NoneType in get_args(field.annotation) else []
    return {**described, "anyOf": [_item(inner), *null]}


def _item(models: list[type[BaseModel]]) -> Schema:
    """A component: one of a kind, or a mapping that refines the one that is there."""
    stated = [_at(_full_name(one)) for one in models if "kind" in one.model_fields]
    return {"anyOf": [*stated, _at(_refined_name(models))]}


def _inherited() -> Schema:
    return {
        "type": "object",
        "properties": {"kind": {"const": INHERITED["kind"]}},
        "required": ["kind"],
        "additionalProperties": False,
    }


def _length(field: FieldInfo) -> Schema:
    least = next((one.min_length for one in field.metadata if hasattr(one, "min_length")), 0)
    return {"minItems": least}


def _any_of(schemas: list[Schema]) -> Schema:
    different = [one for place, one in enumerate(schemas) if one not in schemas[:place]]
    return different[0] if len(different) == 1 else {"anyOf": different}


@cache
def _own_schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()
