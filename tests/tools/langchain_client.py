"""Speaks to a gateway with LangChain's model for OpenAI, unchanged.

Each argument names one thing to do; what came of it is printed as one line of JSON.
Where the gateway is and with which token stands in the variables the client reads itself.
"""

import json
import sys

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

ASK = [HumanMessage("Hello?")]
MODEL = ChatOpenAI(model="fake", max_retries=0, stream_usage=True)


@tool
def weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"snow in {city}"


def chat():
    answer = MODEL.invoke(ASK)
    return {
        "text": answer.content,
        "finish_reason": answer.response_metadata["finish_reason"],
        "total_tokens": answer.usage_metadata["total_tokens"],
    }


def stream():
    whole, pieces = None, []
    for chunk in MODEL.stream(ASK):
        whole = chunk if whole is None else whole + chunk
        if chunk.content:
            pieces.append(chunk.content)
    return {
        "pieces": pieces,
        "finish_reason": whole.response_metadata["finish_reason"],
        "total_tokens": whole.usage_metadata["total_tokens"],
    }


def tools():
    """Goes on until the model wants nothing more."""
    messages, told = list(ASK), []
    model = MODEL.bind_tools([weather])
    while True:
        answer = model.invoke(messages)
        messages.append(answer)
        if not answer.tool_calls:
            return {"text": answer.content, "told": told}
        for call in answer.tool_calls:
            told.append(weather.invoke(call["args"]))
            messages.append(ToolMessage(told[-1], tool_call_id=call["id"]))


def failed_chat():
    try:
        MODEL.invoke(ASK)
    except openai.APIStatusError as error:
        return {"status": error.status_code}
    return {"status": None}


def cancel():
    chunks = MODEL.stream(ASK)
    heard = next(chunk.content for chunk in chunks if chunk.content)
    chunks.close()
    return {"heard": heard}


def main():
    for name in sys.argv[1:]:
        print(json.dumps(globals()[name]()), flush=True)
    # Whoever started this decides when connections are gone.
    sys.stdin.read()


main()
