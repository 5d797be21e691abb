// Speaks to a gateway with OpenAI's own client, unchanged.
//
// Each argument names one thing to do; what came of it is printed as one line of JSON.
// Where the gateway is and with which token stands in the variables the client reads itself,
// and where the client is in NODE_PACKAGES.

import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_PACKAGES, "package.json"));
const { OpenAI } = require("openai");
const { zodResponseFormat } = require("openai/helpers/zod");
const { z } = require("zod");

const MODEL = "fake";
const ASK = [{ role: "user", content: "Hello?" }];
const TOOLS = [
  {
    type: "function",
    function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
  },
];
const Cat = z.object({ name: z.string(), lives: z.number() });

async function chat(client) {
  const { data: answer, request_id } = await client.chat.completions.create({ model: MODEL, messages: ASK }).withResponse();
  return {
    text: answer.choices[0].message.content,
    finish_reason: answer.choices[0].finish_reason,
    model: answer.model,
    total_tokens: answer.usage.total_tokens,
    request_id,
  };
}

async function stream(client) {
  const chunks = await client.chat.completions.create({
    model: MODEL,
    messages: ASK,
    stream: true,
    stream_options: { include_usage: true },
  });
  const told = { pieces: [], finish_reason: null, total_tokens: null };
  for await (const chunk of chunks) {
    told.total_tokens = chunk.usage?.total_tokens ?? told.total_tokens;
    for (const choice of chunk.choices) {
      told.finish_reason = choice.finish_reason ?? told.finish_reason;
      if (choice.delta.content) told.pieces.push(choice.delta.content);
    }
  }
  return told;
}

// Goes on until the model wants nothing more.
async function tools(client) {
  const messages = [...ASK];
  const reasons = [];
  for (;;) {
    const answer = await client.chat.completions.create({ model: MODEL, messages, tools: TOOLS });
    const [{ message, finish_reason }] = answer.choices;
    reasons.push(finish_reason);
    if (!message.tool_calls?.length) return { reasons, text: message.content };
    messages.push(message);
    for (const call of message.tool_calls) {
      const { city } = JSON.parse(call.function.arguments);
      messages.push({ role: "tool", tool_call_id: call.id, content: `snow in ${city}` });
    }
  }
}

async function streamed_tools(client) {
  const events = client.chat.completions.stream({ model: MODEL, messages: ASK, tools: TOOLS });
  const answer = await events.finalChatCompletion();
  const [call] = answer.choices[0].message.tool_calls;
  return { id: call.id, name: call.function.name, arguments: call.function.arguments };
}

async function structured(client) {
  const answer = await client.chat.completions.parse({
    model: MODEL,
    messages: ASK,
    response_format: zodResponseFormat(Cat, "Cat"),
  });
  return answer.choices[0].message.parsed;
}

async function image(client) {
  const bytes = Buffer.alloc(256 * 300, Buffer.from(Array.from({ length: 256 }, (_, n) => n)));
  const url = "data:image/png;base64," + bytes.toString("base64");
  const content = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url } },
  ];
  const answer = await client.chat.completions.create({ model: MODEL, messages: [{ role: "user", content }] });
  return { text: answer.choices[0].message.content };
}

async function models(client) {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  return { listed, one: (await client.models.retrieve(MODEL)).id };
}

// The type of the client's error, and what it tells.
async function failing(promise) {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    const told = { type: error.constructor.name, code: error.code ?? null };
    return error.status === undefined ? told : { ...told, status: error.status };
  }
  return { type: null };
}

const foreign_token = (client) => failing(chat(client.withOptions({ apiKey: "nonsense" })));
const unknown_model = (client) => failing(client.chat.completions.create({ model: "nobody", messages: ASK }));
const two_answers = (client) => failing(client.chat.completions.create({ model: MODEL, messages: ASK, n: 2 }));
const failed_chat = (client) => failing(chat(client));
const impatient_chat = (client) => failing(chat(client.withOptions({ maxRetries: 0 })));
const failed_stream = (client) => failing(stream(client));
const timed_out_chat = (client) => failing(chat(client.withOptions({ maxRetries: 0, timeout: 500 })));

async function cancel(client) {
  const chunks = await client.chat.completions.create({ model: MODEL, messages: ASK, stream: true });
  for await (const chunk of chunks) {
    const heard = chunk.choices[0].delta.content;
    if (!heard) continue;
    chunks.controller.abort();
    return { heard };
  }
  return { heard: "" };
}

const things = {
  chat,
  stream,
  tools,
  streamed_tools,
  structured,
  image,
  models,
  foreign_token,
  unknown_model,
  two_answers,
  failed_chat,
  impatient_chat,
  failed_stream,
  timed_out_chat,
  cancel,
};

const client = new OpenAI();
for (const name of process.argv.slice(2)) console.log(JSON.stringify(await things[name](client)));
// Whoever started this decides when connections are gone.
process.stdin.resume();
