# Kernels that are compiled once per instruction set are added here.
