"""Where the time of a `.tflite` file goes, operator by operator, as it runs under XNNPACK."""
