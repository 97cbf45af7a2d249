"""`python -m ingestion.documents.distil <folder>`: distil the OpenAPI documents `<folder>/<source>-openapi.json`.

Stripe's: https://github.com/stripe/openapi. Orb's: https://api.withorb.com/spec.json.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ingestion.documents import DOCUMENTED, Document, Field
from ingestion.streams import STREAMS, Stream

_LISTED_AT = {"lines": "/v1/invoices/{invoice}/lines", "payouts": "/v1/balance_transactions"}
"""By reading rule, the list that an object of the stream stands in, where that is not the endpoint's."""

Schema = Mapping[str, Any]


def distil(source: str, openapi: Schema) -> Document:
    """What the document says of the source's streams. Raises ValueError for a stream whose list it does not have."""
    distillery = _Distillery(openapi)
    streams = {stream.name: distillery.payload(stream) for stream in STREAMS if stream.source == source}
    if event := distillery.shapes.get("event"):
        event["type"] = replace(event["type"], values=_event_types(openapi))
    return Document(openapi["info"]["version"], streams, distillery.shapes)


@dataclass(frozen=True)
class _Distillery:
    openapi: Schema
    shapes: dict[str, dict[str, Field]] = field(default_factory=dict)

    def payload(self, stream: Stream) -> Field:
        """One element of what the stream's list answers as `data`."""
        path = re.sub(r"{\w+}", "{}", _LISTED_AT.get(stream.reads, stream.endpoint))
        methods = [found for name, found in self.openapi["paths"].items() if re.sub(r"{\w+}", "{}", name) == path]
        if not methods:
            raise ValueError(f"{stream}: the API document has no {path}; see ingestion/streams.py.")
        answer = methods[0]["post" if stream.reads == "lookup" else "get"]["responses"]["200"]
        lists = [arm for _, arm in self._arms(answer["content"]["application/json"]["schema"])]
        schema: Schema = {"anyOf": [each["properties"]["data"]["items"] for each in lists]}
        if stream.reads == "usage":
            schema = self._usage_day([arm["properties"] for _, arm in self._arms(schema)])
        return self._field(schema, str(stream))

    def _usage_day(self, usages: Sequence[Schema]) -> Schema:
        """What lands is a day of a subscription's usage of a metric: see `ingestion/sources/orb.py`."""
        properties = {
            "subscription_id": {"type": "string"},
            "billable_metric": {"anyOf": [each["billable_metric"] for each in usages]},
            "usage": {"anyOf": [each["usage"]["items"] for each in usages]},
        }
        return {"type": "object", "properties": properties, "required": list(properties)}

    def _field(self, schema: Schema, where: str, is_required: bool = False) -> Field:
        named = list(self._arms(schema))
        arms = [arm for _, arm in named]
        types = {arm.get("type", "") for arm in arms}
        texts = [arm for arm in arms if arm.get("type") == "string"]
        values = (
            {value for arm in texts for value in arm.get("enum", ())} if all("enum" in arm for arm in texts) else ()
        )
        parts = [part for arm in arms for name in ("items", "additionalProperties") if (part := arm.get(name))]
        return Field(
            tuple(sorted(types)) if "" not in types else (),
            tuple(sorted(values)),
            is_required,
            self._shape([(name, arm) for name, arm in named if "properties" in arm], where),
            self._field({"anyOf": [{} if part is True else part for part in parts]}, f"{where}[]") if parts else None,
        )

    def _shape(self, arms: list[tuple[str | None, Schema]], where: str) -> str | None:
        """The name under which the fields of an object stand that is one of `arms`: that of the API, or where it is used."""
        if not arms:
            return None
        names = {name for name, _ in arms}
        shape = where if None in names else "|".join(sorted(map(str, names)))
        if shape not in self.shapes:
            # Named before it is filled: an object may hold others of its kind.
            self.shapes[shape] = {}
            for name in sorted({name for _, arm in arms for name in arm["properties"]}):
                having = [arm for _, arm in arms if name in arm["properties"]]
                self.shapes[shape][name] = self._field(
                    {"anyOf": [arm["properties"][name] for arm in having]},
                    f"{shape}.{name}",
                    len(having) == len(arms) and all(_is_always_sent(arm, name) for arm in having),
                )
        return shape

    def _arms(self, schema: Schema, name: str | None = None) -> Iterator[tuple[str | None, Schema]]:
        """The alternatives of which a value is one, each of one type, with the name of the schema that they come from."""
        if schema.get("nullable"):
            yield None, {"type": "null"}
        if "$ref" in schema:
            ref = schema["$ref"].rpartition("/")[2]
            yield from self._arms(self.openapi["components"]["schemas"][ref], name or ref)
            return
        choices = schema.get("anyOf") or schema.get("oneOf") or []
        if "x-expansionResources" in schema:
            # No request asks for an expansion, so what is sent is the id.
            choices = [choice for choice in choices if choice.get("type") == "string"] or choices
        for choice in choices:
            yield from self._arms(choice, name)
        if not choices:
            yield name, schema


def _event_types(openapi: Schema) -> tuple[str, ...]:
    """Stripe's event types: not in the schema of an event but in that of a webhook, beside `*` for all of them."""
    forms = openapi["paths"]["/v1/webhook_endpoints"]["post"]["requestBody"]["content"]
    wanted = forms["application/x-www-form-urlencoded"]["schema"]["properties"]["enabled_events"]
    return tuple(sorted({*wanted["items"]["enum"]} - {"*"}))


def _is_always_sent(owner: Schema, name: str) -> bool:
    """Stripe does not list as required what may be null, though it is sent."""
    return name in owner.get("required", ()) or owner["properties"][name].get("nullable", False)


def main(folder: Path) -> None:
    for source in DOCUMENTED:
        openapi = json.loads((folder / f"{source}-openapi.json").read_text())
        Path(__file__).with_name(f"{source}.json").write_text(distil(source, openapi).to_json())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
