"""What Streamlit runs; in a folder of its own, as it takes a folder `pages` beside its script for pages of its kind."""
