"""Who writes the thoughts. The offline teacher is rule-based; the only place where LLM SDKs may be imported."""
