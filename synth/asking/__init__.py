"""How a model teacher is asked: paced, paid for once, journaled before and after, judged, and asked again."""
