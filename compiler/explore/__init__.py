"""One page that shows a model on every level, and its step over time and memory."""
