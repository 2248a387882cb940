"""The operating system beneath the daemon.

- startup: the first acts of the process, before slow imports
- exit: the end of the process, even if a thread cannot be ended
- forks: children of `os.fork()` give up the daemon's files, sockets and signals
- ownership: files and directories of other users, opened safely by root
- state_directory: the state directory, private and held by one process at a time
"""
