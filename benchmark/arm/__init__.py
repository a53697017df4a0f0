"""ARM without an ARM machine: LiteRT for aarch64 under user-mode QEMU, as a Cortex-A76."""
