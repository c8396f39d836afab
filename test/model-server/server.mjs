// A stand-in for a model: a real HTTP server that speaks OpenAI chat completions with SSE streaming and tool calls. What
// it answers is written in the prompt: of the last user message, every line that begins with `model>` is one reply, and
// the n-th model call of the conversation gets the n-th of them (the last one again after that). Without such a line it
// takes the first rule of its script whose text occurs in the prompts, and without one it says back what it was asked.
// Plain Node, so that examples and people can start it too (main.mjs).
//
//   model> say TEXT                      text, streamed word by word
//   model> call NAME {…} ;; NAME {…}     tool calls, the arguments in pieces; NAME as the endpoint was given it
//   model> json {…}                      that text, when a response schema was asked for
//   model> tools                         the names of the tools it was given
//   model> heard                         the text of the last tool results
//   model> status 429 [code]             an HTTP error; 301 and the like come with a Location
//   model> malformed | cut | flood | oneline | html | silent | hang | length | filter | empty | nousage TEXT | usage IN OUT
import { createServer } from 'node:http';

/**
 * Starts on loopback. `script`: [{contains, replies}], replies as behind `model>`. `requests` holds what was asked: {path, headers, body}. `close` ends it with all its connections.
 * @param {{ port?: number, key?: string | null, script?: readonly { contains: string, replies: readonly string[] }[] }} options
 *   `key`: what the Authorization header has to carry; null = nothing
 */
export async function startModelServer({ port = 0, key = null, script = [] } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    answer(request, response, { key, script, requests }).catch(() => response.destroy());
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    port: server.address().port,
    requests,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function answer(request, response, { key, script, requests }) {
  const text = await bodyOf(request);
  const path = new URL(request.url ?? '/', 'http://loopback').pathname;
  const body = text === '' ? null : JSON.parse(text);
  requests.push({ path, headers: request.headers, body });
  if (request.method !== 'POST' || path !== '/v1/chat/completions') return fail(response, 404, 'not_found');
  if (key !== null && request.headers.authorization !== `Bearer ${key}`) {
    return fail(
      response,
      401,
      'invalid_api_key',
      `Incorrect API key provided: ${request.headers.authorization}`,
    );
  }
  const reply = replyFor(body, script);
  const [, verb = '', rest = ''] = /^(\S+)\s*(.*)$/su.exec(reply) ?? [];
  return (VERBS[verb] ?? VERBS.say)({ response, body, rest: VERBS[verb] === undefined ? reply : rest });
}

/** Since the last user message: how often the model has spoken, and what it is to say now. */
function replyFor({ messages }, script) {
  const from = messages.findLastIndex((message) => message.role === 'user');
  const said = messages.slice(from).filter((message) => message.role === 'assistant').length;
  const prompt = textOf(messages[from]?.content);
  const lines = prompt
    .split('\n')
    .filter((line) => line.trim().startsWith('model>'))
    .map((line) => line.trim().slice('model>'.length).trim());
  if (lines.length === 0) {
    const told = messages
      .filter(({ role }) => role === 'system' || role === 'user')
      .map(({ content }) => textOf(content));
    lines.push(
      ...(script.find(({ contains }) => told.some((text) => text.includes(contains)))?.replies ?? []),
    );
  }
  return lines.length === 0 ? `say You said: ${prompt}` : lines[Math.min(said, lines.length - 1)];
}

const VERBS = {
  say: ({ response, rest }) => stream(response, words(rest), 'stop'),
  json: ({ response, rest }) => stream(response, words(rest), 'stop'),
  empty: ({ response }) => stream(response, [], 'stop'),
  length: ({ response, rest }) => stream(response, words(rest), 'length'),
  filter: ({ response }) => stream(response, [], 'content_filter'),
  nousage: ({ response, rest }) => stream(response, words(rest), 'stop', null),
  usage: ({ response, rest }) => {
    const [prompt_tokens, completion_tokens] = rest.split(' ').map(Number);
    return stream(response, words('ok'), 'stop', { prompt_tokens, completion_tokens });
  },
  tools: ({ response, body }) => {
    const names = (body.tools ?? []).map((tool) => tool.function.name);
    return stream(response, words(names.join(' ') || 'none'), 'stop');
  },
  heard: ({ response, body }) => {
    const last = body.messages.findLastIndex((message) => message.role === 'assistant');
    const results = body.messages.slice(last + 1).map((message) => textOf(message.content));
    return stream(response, words(results.join(' | ')), 'stop');
  },
  call: ({ response, rest }) => {
    const calls = rest.split(';;').map((call, index) => {
      const [, name = '', args = ''] = /^(\S+)\s*(.*)$/su.exec(call.trim()) ?? [];
      return { index, id: `same-id`, name, args };
    });
    return stream(response, [], 'tool_calls', USAGE, calls);
  },
  status: ({ response, rest }) => {
    const [status, code = 'scripted_error'] = rest.split(' ');
    return fail(response, Number(status), code);
  },
  html: ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<html>hello</html>');
  },
  malformed: ({ response }) => {
    open(response);
    response.end('data: {"choices": [{"delta": \n\n');
  },
  cut: ({ response }) => {
    open(response);
    response.write(chunk({ delta: { content: 'half an ans' } }));
    setImmediate(() => response.destroy());
  },
  silent: ({ response }) => {
    open(response);
    response.end(chunk({ delta: { content: 'no end' } }));
  },
  hang: ({ response }) => {
    open(response);
    response.write(chunk({ delta: { content: 'so far' } }));
  },
  flood: ({ response }) => {
    open(response);
    const more = () => {
      let room = true;
      while (room && !response.destroyed)
        room = response.write(chunk({ delta: { content: 'x'.repeat(16_384) } }));
    };
    response.on('drain', more);
    more();
  },
  oneline: ({ response }) => {
    open(response);
    response.write('data: "');
    const more = () => {
      let room = true;
      while (room && !response.destroyed) room = response.write('y'.repeat(65_536));
    };
    response.on('drain', more);
    more();
  },
};

const USAGE = { prompt_tokens: 11, completion_tokens: 7 };

function stream(response, pieces, finish, usage = USAGE, calls = []) {
  open(response);
  response.write(chunk({ delta: { role: 'assistant', content: '' } }));
  for (const piece of pieces) response.write(chunk({ delta: { content: piece } }));
  for (const { index, id, name, args } of calls) {
    const start = { index, id, type: 'function', function: { name, arguments: '' } };
    response.write(chunk({ delta: { tool_calls: [start] } }));
    for (const part of halves(args)) {
      response.write(chunk({ delta: { tool_calls: [{ index, function: { arguments: part } }] } }));
    }
  }
  response.write(chunk({ delta: {}, finish_reason: finish }));
  if (usage !== null) response.write(event({ choices: [], usage }));
  response.end('data: [DONE]\n\n');
}

function open(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
}

function chunk(choice) {
  return event({ choices: [{ index: 0, finish_reason: null, ...choice }] });
}

function event(value) {
  return `data: ${JSON.stringify({ id: 'stand-in', object: 'chat.completion.chunk', created: 0, model: 'stand-in', ...value })}\n\n`;
}

function fail(response, status, code, message = 'scripted') {
  const headers = { 'content-type': 'application/json' };
  if (status >= 300 && status < 400) headers.location = 'http://127.0.0.1:9/elsewhere';
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error: { message, type: code, code } }));
}

function words(text) {
  return text.split(/(?<= )/u).filter((word) => word !== '');
}

function halves(text) {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((part) => part !== '');
}

function textOf(content) {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? content.map((part) => part.text ?? '').join('') : '';
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
