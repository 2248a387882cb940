"""The endpoints by subject, and the views that they answer with."""
