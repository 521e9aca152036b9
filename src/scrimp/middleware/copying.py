"""A copy of the SDK's request with another body and more headers, without a copy of the body it had."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

__all__ = ["with_body"]


def with_body(request: Any, body: Any, headers: Mapping[str, str] | None = None) -> Any:
    """`request.copy(body=body)` with these headers beside its own, cheaper.

    The SDK's `copy` copies the whole body, down to the last leaf, before it puts the new one in its place:
    for a long conversation that takes as long as planning it. So a shallow copy without one goes to it.
    """
    options = request.options
    # Under pydantic 1 `copy.copy` of a model would share its fields with the original.
    shallow = options.model_copy() if hasattr(options, "model_copy") else options.copy()
    shallow.json_data = None
    bodiless = copy.copy(request)
    bodiless.options = shallow
    if not headers:
        return bodiless.copy(body=body)
    own = {name: value for name, value in request.headers.items() if name.lower() not in headers}
    return bodiless.copy(body=body, headers={**own, **headers})
