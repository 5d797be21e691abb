"""Speaks to a gateway with the command `llm`, unchanged, as somebody would at a terminal.

Each argument names one thing to do; what came of it is printed as one line of JSON.
Where the gateway is and with which token stands in OPENAI_BASE_URL and OPENAI_API_KEY.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile

FUNCTION = '''
def weather(city: str) -> str:
    "Tells the weather of a city."
    return f"snow in {city}"
'''


def started(folder, *arguments):
    command = [sys.executable, "-m", "llm", "prompt", "Hello?", "--model", "fake", "--no-log"]
    command += ["--key", os.environ["OPENAI_API_KEY"], *arguments]
    environment = {**os.environ, "LLM_USER_PATH": folder}
    return subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def said(folder, *arguments):
    out, err = started(folder, "--usage", *arguments).communicate()
    if not out:
        print(err, file=sys.stderr)
    total = sum(map(int, re.findall(r"(\d+) (?:input|output)", err)))
    return {"text": out.removesuffix("\n"), "total_tokens": total}


def chat(folder):
    return said(folder, "--no-stream")


def stream(folder):
    told = said(folder)
    return {"pieces": [told["text"]], "total_tokens": told["total_tokens"]}


def tools(folder):
    running = started(folder, "--no-stream", "--functions", FUNCTION, "--tools-debug")
    out, err = running.communicate()
    return {"text": out.removesuffix("\n"), "told": re.findall(r"snow in \w+", err)}


def failed_chat(folder):
    running = started(folder, "--no-stream")
    _, err = running.communicate()
    status = re.search(r"Error code: (\d+)", err)
    return {"status": int(status[1]) if status else None}


def cancel(folder):
    running = started(folder)
    heard = running.stdout.read(len("Once "))
    running.send_signal(signal.SIGINT)
    running.communicate()
    return {"heard": heard}


def main():
    with tempfile.TemporaryDirectory() as folder:
        model = {"model_id": "fake", "model_name": "fake", "supports_tools": True, "api_key_name": "sluice"}
        model["api_base"] = os.environ["OPENAI_BASE_URL"]
        # JSON is YAML, too.
        with open(os.path.join(folder, "extra-openai-models.yaml"), "w") as models:
            json.dump([model], models)
        for name in sys.argv[1:]:
            print(json.dumps(globals()[name](folder)), flush=True)
    # Whoever started this decides when connections are gone.
    sys.stdin.read()


main()
