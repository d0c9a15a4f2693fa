"""The HTTP API.

Modules:

``helpers``  malformed requests, and what every answer must look like
"""
