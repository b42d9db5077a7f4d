"""The Robot Framework door: keywords a non-programmer reads, on the same benches and through the same spans as
pytest."""
