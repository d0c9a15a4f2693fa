"""The HTTP API.

Modules:

``api``      the application in this process, behind Flask's test client
``helpers``  malformed requests, and what every answer must look like
"""
