"""The pages, one module each: `draw()` draws it; its address and its query parameters restore it."""
