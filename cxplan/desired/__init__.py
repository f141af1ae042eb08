"""Edge: YAML files to declarations.

The way of a file: ``files`` opens it, ``text`` checks its bytes, ``lines`` or ``reader`` turn it
into plain data, ``schema`` says what the data means on its own, ``build`` what all files mean
together. ``places`` finds line and column again when somebody is to see them. ``source`` joins
these to the port ``DesiredSource``.
"""
