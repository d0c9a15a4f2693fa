"""The API's description of itself: OpenAPI 3.1 at ``/openapi.json``, and a page made from it at ``/docs``.

Always true (``tests/web/test_openapi.py``): every route, method, status and field of the API is in it.

Modules:

``calls``     every call: who may make it, what it takes, what it can answer
``answers``   JSON Schema of every answer
``shapes``    JSON Schema of Python types
``document``  the whole document; request schemas come from the marshmallow schemas that read them
``views``     the two addresses
"""
