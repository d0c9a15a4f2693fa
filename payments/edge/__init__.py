"""What runs on an edge: the reporter, which tells Payments of sessions and loses none, and the gateway that uses it.

A gateway calls ``Reporter`` (``payments.edge.reporter``) and nothing else of it. May import what both sides share and
no more: ``payments.errors``, ``clock``, ``logs``, ``configuration``, ``envfile``, ``disk``, ``domain``'s words for
events, moments and addresses, and the schema of an event (``payments.events``, ``fields``, ``strictjson``). Nothing of
the rest of Payments may import it. Not here: what an event does (``payments.domain.billing``).
"""
