// Speaks to a gateway with Vercel's AI SDK, unchanged.
//
// Each argument names one thing to do; what came of it is printed as one line of JSON.
// Where the gateway is and with which token stands in OPENAI_BASE_URL and OPENAI_API_KEY,
// and where the packages are in NODE_PACKAGES.

import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_PACKAGES, "package.json"));
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { generateText, stepCountIs, streamText, tool } = require("ai");
const { z } = require("zod");

const { OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey } = process.env;
const model = createOpenAICompatible({ name: "sluice", baseURL, apiKey, includeUsage: true })("fake");
const ASK = { model, prompt: "Hello?", maxRetries: 0 };
const weather = tool({
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `snow in ${city}`,
});

async function chat() {
  const { text, finishReason, usage } = await generateText(ASK);
  return { text, finish_reason: finishReason, total_tokens: usage.totalTokens };
}

async function stream() {
  const answer = streamText(ASK);
  const pieces = [];
  for await (const piece of answer.textStream) pieces.push(piece);
  return { pieces, finish_reason: await answer.finishReason, total_tokens: (await answer.usage).totalTokens };
}

async function tools() {
  const { text, steps } = await generateText({ ...ASK, tools: { weather }, stopWhen: stepCountIs(9) });
  const told = steps.flatMap((step) => step.toolResults.map((result) => result.output));
  return { text, told };
}

async function failed_chat() {
  try {
    await generateText(ASK);
  } catch (error) {
    return { status: error.statusCode };
  }
  return { status: null };
}

async function cancel() {
  const leaving = new AbortController();
  const { textStream } = streamText({ ...ASK, abortSignal: leaving.signal });
  for await (const heard of textStream) {
    leaving.abort();
    return { heard };
  }
  return { heard: "" };
}

const things = { chat, stream, tools, failed_chat, cancel };

for (const name of process.argv.slice(2)) console.log(JSON.stringify(await things[name]()));
// Whoever started this decides when connections are gone.
process.stdin.resume();
