"""Two lock backends (SQLite; Redis or Valkey), and the manager of the locks that this daemon holds."""
