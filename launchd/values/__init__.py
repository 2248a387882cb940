"""Values from outside (tasks, sources, requests, rows, exceptions), made plain, bounded and clean where they enter.

- plain: any object as bounded text, or as numbers, texts, lists and dicts that JSON can carry
- failure: an exception as type, message and traceback
- text: a text with its control characters escaped, for terminals
- rows: a database row as a noun, with the names of values that cannot be read
"""
