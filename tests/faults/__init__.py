"""What training must survive, on real runs: `python -m tests.faults`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow announces itself when imported
