"""The playground: a page on this machine that shows a network of two features while it is trained.

`settings` says what is trained, on `data_sets` or a table of the user's own (`tables`). `problem` makes rows and layers
of it, `session` trains, `frames` are what the page draws, and `script` is the same run as Python. `server` speaks with
the page, which lies in ``static``, and `serving` with the operating system.
"""
