"""Speed: ``python -m tests.bench`` measures every figure in one run, prints a table and writes JSON.

Modules:

``compare``      this checkout's server, another checkout's and the floor, by turns
``ingest``       events over HTTP, with wrk as the client
``floor``        a lower bound: gunicorn, Flask and the disk, for an event that is synced before its answer
``files``        the file engine without HTTP: start, sharing, projections
``process``      a process of the bench on files
``large_store``  makes a large data folder
``operator``     how long an operator waits on it
``edges``        many edges, sped up, in batches through nginx
``gateway``      what the gateway adds between viewers and their game host
``viewers``      a process of viewers who measure
``echo``         a game host that echoes every message
``spool``        the spool of an edge with 2,000 viewers
"""
