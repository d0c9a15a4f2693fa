"""What is in ``deploy`` for a server: the shipped nginx site in front of the shipped gunicorn configuration.

``proxy`` runs a real nginx with the shipped site, of which only ports and paths are replaced, and ``raw`` speaks to a
socket byte by byte. All addresses of 127.0.0.0/8 are this machine's: other clients are clients from other ones of them.
"""
