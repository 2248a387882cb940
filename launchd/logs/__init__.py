"""The log: the loggers' set-up, the thread that writes, the forms of a line, and the masking of secrets."""
