// Asks through the official `openai` package for Node: what openai_client.py does, for the other language.
// The package is looked for below the directory that NODE_CLIENTS names.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { OpenAI } = createRequire(`${process.env.NODE_CLIENTS}/`)("openai");

const todo = {
  async create(client, job, seen) {
    const { extra_body: extra, ...known } = job.arguments; // a way of the Python package
    const { data, response } = await client.chat.completions.create({ ...known, ...extra }).withResponse();
    seen.headers = Object.fromEntries(response.headers);
    if (!job.arguments.stream) {
      seen.completion = data;
      return;
    }
    seen.chunks = [];
    for await (const chunk of data) {
      seen.chunks.push(chunk);
      if (seen.chunks.length === job.leave_after) break;
    }
  },

  async stream(client, job, seen) {
    const stream = client.chat.completions.stream(job.arguments);
    seen.events = [];
    for (const name of ["connect", "chunk", "content", "message", "finalChatCompletion", "end"]) {
      stream.on(name, () => seen.events.push(name));
    }
    seen.completion = await stream.finalChatCompletion();
  },

  async models(client, job, seen) {
    seen.models = [];
    for await (const model of client.models.list()) seen.models.push(model.id);
  },
};

async function answer(job) {
  const client = new OpenAI({ baseURL: job.base_url, apiKey: job.api_key, maxRetries: job.retries });
  const seen = { id: job.id };
  try {
    await todo[job.do](client, job, seen);
  } catch (error) {
    if (error instanceof OpenAI.APIError) {
      const { status, code, message } = error;
      seen.error = { type: error.constructor.name, message, code, status };
      if (error.headers) seen.error.headers = Object.fromEntries(error.headers);
    } else {
      seen.broken = error.stack;
    }
  }
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line)));
