# What the description of an operation gives, by name.


cdef inline object required(dict given, name, kind):
    """Take what an operation of the kind cannot do without."""
    if name not in given:
        raise ValueError(f"an operation of kind {kind!r} needs {name!r}")
    return given.pop(name)
