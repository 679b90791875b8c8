"""A teacher adds the *why*, a thought, to each assistant turn; calls, results and texts stay as recorded."""

import curate  # noqa: F401  sees to a quiet Ctrl-C while a command is still being imported
