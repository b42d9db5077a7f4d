"""The management API over HTTP. Imported only where it is asked for: FastAPI costs half a second."""
