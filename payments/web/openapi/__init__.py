"""The API's description: OpenAPI 3.1 at ``/openapi.json``, and a page made from it at ``/docs``.

Every route, method, status and field of the API is in it (``tests/web/test_openapi.py``).

Modules:

``calls``     every call: role, request, answer, problems
``answers``   JSON Schema of every answer
``shapes``    JSON Schema of Python types
``document``  the OpenAPI document; request schemas come from marshmallow
``views``     ``/openapi.json`` and ``/docs``
"""
