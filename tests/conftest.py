"""Set before TensorFlow is imported: the kernels that the `ghostnet` command takes."""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
