"""The trace reader. Home of streamlit and SQLAlchemy; reads any dataset folder, writes none."""
