"""Records, hand edits, and sharing.

Modules:

``helpers``  registries on a folder, and documents as an operator writes them
"""
