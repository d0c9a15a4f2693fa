"""The reporter: it loses no event, whatever happens to Payments, the disk or itself.

Modules:

``edge``                settings, and the parts of a reporter without its threads
``stand_in``            a stand-in for Payments that can misbehave; the real rules decide beneath it
``spools``              a spool without Payments
``deliveries``          what Payments received, and what the edge set aside
``crashing``            an edge that is killed, and its next start
``reporter_process``    a process with a reporter, controlled by lines of JSON
``reporter_processes``  starts and controls such processes
``line_processes``      processes that answer each line of JSON with one
``gateway``             tests of ``payments.edge.gateway``
``pixelstreaming``      Epic's own Pixel Streaming through the gateway
"""
