"""The operating system: start and end of the process, forks, owners of files, the state directory."""
