"""The operating system's files: operations, locks between processes, atomic replacement.

Every change that Payments makes to a file goes through ``Disk``, so that tests can record, fail and crash the
operations one by one.

Always true: files are made 0600 and folders 0700; no file is opened through a symbolic link. Local file systems only:
the locks are ``flock``, and network file systems do not keep the promises of ``flock`` and ``fdatasync``.

Not here: what is in the files.

Modules:

``operations``   the file operations, each one call to the operating system
``lock``         locks between processes (``flock``)
``replacement``  replaces a file, so that readers and crashes see the old or the new one, never a mixture
``obstacles``    finds what would keep a file from being used, and changes nothing
"""

from payments.disk.operations import Disk
from payments.disk.replacement import replace_file, write_file

__all__ = ["Disk", "replace_file", "write_file"]
