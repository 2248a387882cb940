"""One attempt of a job: on the task loop, in a thread or in a process, up to its verdict."""
