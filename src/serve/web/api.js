// The server's routes. Failures are Failed, with the status of HTTP and the server's reason.
export class Failed extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

export const accessKey = {
  get: () => sessionStorage.getItem("key") ?? "",
  set: (value) => sessionStorage.setItem("key", value),
};

async function request(path, { body, signal } = {}) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (accessKey.get()) headers.Authorization = `Bearer ${accessKey.get()}`;
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, signal, body: body && JSON.stringify(body) });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  throw new Failed(response.status, answer?.error?.message ?? `${response.status} ${response.statusText}`);
}

const json = async (path, options) => (await request(path, options)).json();

// The data of server-sent events, one after another.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts)
      for (const line of part.split("\n")) if (line.startsWith("data:")) yield line.slice(5).trim();
  }
}

export const models = async () => (await json("/v1/models")).data;
export const figures = () => json("/v1/figures");
export const explain = (body, signal) => json("/v1/explain", { body, signal });
export const readObjects = (body, signal) => json("/v1/objects", { body, signal });
export const offers = () => json("/v1/page");
export const judge = (body) => json("/v1/feedback", { body });

// Asks, and hands on every chunk: { text, tokens: [{ text, logprob, top }], finish, usage, id, version }.
export async function ask({ model, prompt, picture, tokens }, signal, onChunk) {
  const content = [{ type: "text", text: prompt }];
  if (picture) content.unshift({ type: "image_url", image_url: { url: picture } });
  const body = {
    messages: [{ role: "user", content }],
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0,
    logprobs: true,
  };
  if (model) body.model = model;
  if (tokens) body.top_logprobs = tokens;
  for await (const data of events(await request("/v1/chat/completions", { body, signal }))) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Failed(chunk.error.code ?? 500, chunk.error.message);
    const choice = chunk.choices?.[0];
    onChunk({
      id: chunk.id,
      version: chunk.system_fingerprint,
      model: chunk.model,
      text: choice?.delta?.content ?? "",
      tokens: (choice?.logprobs?.content ?? []).map((t) => ({ text: t.token, logprob: t.logprob, top: t.top_logprobs ?? [] })),
      finish: choice?.finish_reason,
      usage: chunk.usage,
    });
  }
}
