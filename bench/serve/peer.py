#!/usr/bin/env python3
"""llama.cpp's own server (llama-server, as the package xllamacpp carries it) until it is killed.

    peer.py FILE.gguf SLOTS THREADS CONTEXT

Prints its address once it listens. Needs xllamacpp."""
import sys
import threading

import xllamacpp


def main():
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[1]
    parameters.n_parallel = int(sys.argv[2])
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(sys.argv[3])
    parameters.n_ctx = int(sys.argv[2]) * int(sys.argv[4])
    parameters.cont_batching = True
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    parameters.n_gpu_layers = 0
    parameters.warmup = True
    parameters.port = 0
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
