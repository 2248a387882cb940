"""The admin socket: HTTP over a Unix socket, for operators and the command line."""
