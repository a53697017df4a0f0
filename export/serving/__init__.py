"""What TensorFlow Serving takes: signatures, warm-up records, layout; and a session like its."""
