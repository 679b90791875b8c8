"""A teacher adds the *why*, a thought, to each assistant turn; calls, results and texts stay as recorded."""
