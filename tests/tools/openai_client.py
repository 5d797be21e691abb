"""Speaks to a gateway with OpenAI's own client, unchanged.

Each argument names one thing to do; what came of it is printed as one line of JSON.
Where the gateway is and with which token stands in the variables the client reads itself.
"""

import base64
import json
import sys

import openai
from pydantic import BaseModel

MODEL = "fake"
ASK = [{"role": "user", "content": "Hello?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


class Cat(BaseModel):
    name: str
    lives: int


def chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=ASK)
    return {
        "text": answer.choices[0].message.content,
        "finish_reason": answer.choices[0].finish_reason,
        "model": answer.model,
        "total_tokens": answer.usage.total_tokens,
        "request_id": answer._request_id,
    }


def stream(client):
    chunks = client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    pieces, reason, total = [], None, None
    for chunk in chunks:
        total = chunk.usage.total_tokens if chunk.usage else total
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            if choice.delta.content:
                pieces.append(choice.delta.content)
    return {"pieces": pieces, "finish_reason": reason, "total_tokens": total}


def tools(client):
    """Goes on until the model wants nothing more."""
    messages, reasons = list(ASK), []
    while True:
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
        message = answer.choices[0].message
        reasons.append(answer.choices[0].finish_reason)
        if not message.tool_calls:
            return {"reasons": reasons, "text": message.content}
        messages.append(message)
        for call in message.tool_calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"snow in {city}"})


def streamed_tools(client):
    with client.chat.completions.stream(model=MODEL, messages=ASK, tools=TOOLS) as events:
        for _ in events:
            pass
        call = events.get_final_completion().choices[0].message.tool_calls[0]
    return {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}


def structured(client):
    answer = client.chat.completions.parse(model=MODEL, messages=ASK, response_format=Cat)
    return answer.choices[0].message.parsed.model_dump()


def image(client):
    url = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 300).decode()
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    return {"text": answer.choices[0].message.content}


def models(client):
    return {"listed": [model.id for model in client.models.list()], "one": client.models.retrieve(MODEL).id}


def failing(create):
    """The type of the client's error, and what it tells."""
    try:
        create()
    except openai.APIStatusError as error:
        return {"type": type(error).__name__, "status": error.status_code, "code": error.code}
    except openai.APIError as error:
        return {"type": type(error).__name__, "code": getattr(error, "code", None)}
    return {"type": None}


def foreign_token(client):
    foreign = client.with_options(api_key="nonsense")
    return failing(lambda: chat(foreign))


def unknown_model(client):
    return failing(lambda: client.chat.completions.create(model="nobody", messages=ASK))


def two_answers(client):
    return failing(lambda: client.chat.completions.create(model=MODEL, messages=ASK, n=2))


def failed_chat(client):
    return failing(lambda: chat(client))


def impatient_chat(client):
    return failing(lambda: chat(client.with_options(max_retries=0)))


def failed_stream(client):
    return failing(lambda: stream(client))


def timed_out_chat(client):
    return failing(lambda: chat(client.with_options(max_retries=0, timeout=0.5)))


def cancel(client):
    chunks = client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    heard = ""
    for chunk in chunks:
        heard += chunk.choices[0].delta.content or ""
        if heard:
            break
    chunks.close()
    return {"heard": heard}


def main():
    client = openai.OpenAI()
    for name in sys.argv[1:]:
        print(json.dumps(globals()[name](client)), flush=True)
    # Whoever started this decides when connections are gone.
    sys.stdin.read()


main()
