"""Labels: what may be said (schema), append-only events in a database, queues, accounts, exports."""
