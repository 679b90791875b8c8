"""What runs left behind: curves of a training, audits of a cache, the funnel of a curation, evaluations, lineage."""
