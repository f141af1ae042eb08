"""The OpenAPI file as a judge of answers: the few words of JSON Schema that it uses."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_FILE = Path(__file__).parents[1] / "contract" / "availability-v2.openapi.yaml"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "null": type(None),
}
_KNOWN = {
    "$ref", "type", "required", "properties", "items", "allOf", "const", "minimum", "maximum",
    "format", "default", "description",
}  # fmt: skip

CONTRACT: dict[str, Any] = YAML(typ="safe", pure=True).load(_FILE.read_text("utf-8"))


def operations() -> dict[str, tuple[str, str]]:
    """Return method and path template of every operation id."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in CONTRACT["paths"].items()
        for method, operation in item.items()
        if isinstance(operation, dict) and "operationId" in operation
    }


def response_schema(operation_id: str, status: int) -> dict[str, Any] | None:
    """Return the schema of an answer's JSON body; None where the contract states none.

    Raises:
        AssertionError: the contract does not know this status for this operation.
    """
    method, path = operations()[operation_id]
    responses = CONTRACT["paths"][path][method.lower()]["responses"]
    keys = [key for key in (str(status), f"{status // 100}XX", "default") if key in responses]
    assert keys, (operation_id, status)
    content = _resolved(responses[keys[0]]).get("content")
    return content["application/json"]["schema"] if content else None


def problems(schema: dict[str, Any], value: Any, place: str = "") -> list[str]:
    """Return what is wrong with ``value``, each with its place."""
    schema = _resolved(schema)
    assert schema.keys() <= _KNOWN, schema.keys() - _KNOWN
    found = [
        problem for part in schema.get("allOf", ()) for problem in problems(part, value, place)
    ]
    return found + _of_type(schema, value, place) + _of_members(schema, value, place)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = CONTRACT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _of_type(schema: dict[str, Any], value: Any, place: str) -> list[str]:
    types = schema.get("type", list(_TYPES))
    types = [types] if isinstance(types, str) else types
    fits = any(isinstance(value, _TYPES[name]) for name in types) and not isinstance(value, bool)
    found = [] if fits else [f"{place}: not {types}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{place}: not {schema['const']}")
    if isinstance(value, int) and value < schema.get("minimum", value):
        found.append(f"{place}: under the minimum")
    if schema.get("format") == "date-time" and datetime.fromisoformat(value).tzinfo is None:
        found.append(f"{place}: no offset")
    return found


def _of_members(schema: dict[str, Any], value: Any, place: str) -> list[str]:
    found = []
    if isinstance(value, dict):
        found += [
            f"{place}: lacks {name}" for name in schema.get("required", ()) if name not in value
        ]
        for name, member in schema.get("properties", {}).items():
            if name in value:
                found += problems(member, value[name], f"{place}/{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += problems(schema["items"], item, f"{place}/{index}")
    return found
