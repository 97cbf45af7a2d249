"""How each of the four systems shows the world: one module a system, objects exactly as its API or files give them."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
