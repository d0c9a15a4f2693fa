"""The API's description of itself: OpenAPI 3.1 at ``/openapi.json``, and a page made from it at ``/docs``.

``answers``   what every answer holds, in JSON Schema
``calls``     every call: who may make it, what it takes, what it can answer
``document``  all of it as one document; requests come from the marshmallow schemas that read them
``views``     the two addresses

Always true (``tests/web/test_openapi.py``): every route, method, status and field of the API is in it.
"""
