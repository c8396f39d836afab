// MCP tools against a real server (test/mcp-server), over stdio and over streamable HTTP.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../canonical-json.js';
import { isObject, type Digest, type Json, type JsonObject } from '../../../json.js';
import type { FunctionProvider, FunctionRequest } from '../../../runtime/ports.js';
import { gone, isThere } from '../../../../test/processes.js';
import { parseMcpConfig } from './config.js';
import { openMcpConnection, type McpParts, type OfferedList } from './connection.js';
import { openMcpFunctions, toolsFile } from './mcp.js';
import { describeTools, pinOf, type McpTool } from './pin.js';

const SERVER = path.resolve(import.meta.dirname, '../../../../test/mcp-server/main.mjs');
const SECRET = 'Zq7-do-not-tell';
const digestOf = (value: Json): Digest =>
  `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}` as Digest;
const never = new AbortController().signal;

let folder = '';
let parts: McpParts;
const opened: { close(): Promise<void> }[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'writ-mcp-'));
  parts = {
    secret: (name) => (name === 'ledger' ? Buffer.from(SECRET) : null),
    resolve: () => Promise.resolve(['127.0.0.1']),
    digestOf,
    env: { PATH: process.env['PATH'], REGION: 'eu', OTHER: 'not passed on' },
    folder,
    version: '1',
  };
});

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface ServerSpec extends Record<string, unknown> {
  readonly command?: string;
}

const stdio = (...flags: string[]): ServerSpec => ({ command: process.execPath, args: [SERVER, ...flags] });

async function overHttp(
  env: Record<string, string> = {},
): Promise<{ readonly spec: ServerSpec; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [SERVER, '--http'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  children.push(child);
  const port = await new Promise<string>((resolve) => {
    child.stdout.once('data', (part: Buffer) => {
      resolve(part.toString().trim());
    });
  });
  return { child, spec: { url: `http://mcp.bank.example:${port}/mcp`, http: true, private: true } };
}

/** What the server offers now, by tool. */
async function offered(spec: ServerSpec): Promise<ReadonlyMap<string, McpTool>> {
  const { tools } = await listOf(spec);
  return new Map(tools.map((tool) => [tool.name, tool]));
}

async function listOf(spec: ServerSpec): Promise<OfferedList> {
  const [server] = parseMcpConfig('mcp.yaml', JSON.stringify({ servers: { bank: spec } })).values();
  if (server === undefined) throw new Error('no server');
  const connection = openMcpConnection(server, parts);
  try {
    return await connection.tools({ timeoutMs: 30_000, signal: never });
  } finally {
    await connection.close();
  }
}

/** A provider of everything that a server like `as` offers, pinned, that talks to `spec`. */
async function pinned(
  spec: ServerSpec,
  as: ServerSpec = spec,
): Promise<FunctionProvider & { close(): Promise<void> }> {
  const tools = await offered(as);
  const pins = [...tools].map(([name, tool]) => [name, { schemaSha256: pinOf(tool, digestOf) }]);
  mkdirSync(path.join(folder, 'mcp'), { recursive: true });
  writeFileSync(toolsFile(folder, 'bank'), describeTools([...tools.values()]));
  return open({ ...spec, tools: Object.fromEntries(pins) as JsonObject });
}

async function open(spec: ServerSpec): Promise<FunctionProvider & { close(): Promise<void> }> {
  const config = parseMcpConfig('mcp.yaml', JSON.stringify({ servers: { bank: spec } }));
  const provider = await openMcpFunctions(config, parts);
  opened.push(provider);
  return provider;
}

const request = (tool: string, input: Json): FunctionRequest => ({
  functionId: `mcp::bank::${tool}`,
  input,
  run: 'run_1',
  stepPath: 'call',
  agent: null,
  idempotencyKey: 'key-1',
  timeoutMs: 30_000,
});

async function call(
  from: FunctionProvider,
  tool: string,
  input: Json = {},
  signal = never,
): Promise<JsonObject> {
  const output = await from.invoke(request(tool, input), signal);
  if (!isObject(output)) throw new Error('no object');
  return output;
}

async function environmentOf(
  from: FunctionProvider,
): Promise<{ env: Record<string, string>; cwd: string; pid: number }> {
  const { content } = await call(from, 'environment');
  return JSON.parse(content as string) as { env: Record<string, string>; cwd: string; pid: number };
}

const transports: readonly (readonly [string, () => Promise<ServerSpec>])[] = [
  ['stdio', () => Promise.resolve(stdio())],
  ['stdio, tools in pages', () => Promise.resolve(stdio('--pages'))],
  ['streamable HTTP', async () => (await overHttp()).spec],
];

describe.each(transports)('a pinned MCP tool over %s', (_, start) => {
  it('is a function, described and checked by what was pinned', async () => {
    const from = await pinned(await start());
    expect(from.functionIds).toContain('mcp::bank::echo');
    expect(from.functionIds).not.toContain('mcp::bank::not a function name');
    expect(from.describe?.('mcp::bank::echo')).toBe('Gives the text back.');
    expect(from.schemas?.('mcp::bank::echo').input).toMatchObject({
      required: ['text'],
      additionalProperties: false,
    });
    expect(await call(from, 'echo', { text: 'Zoë 🦊' })).toEqual({
      content: 'Zoë 🦊',
      structuredContent: null,
      parts: [],
    });
  });

  it('gives structured content and binary parts as JSON', async () => {
    const from = await pinned(await start());
    expect(await call(from, 'add', { a: 2, b: 3 })).toMatchObject({
      content: '5',
      structuredContent: { sum: 5 },
    });
    const { content, parts: binary } = await call(from, 'picture');
    expect(content).toBe('one pixel');
    expect(binary).toEqual([
      { type: 'image', mimeType: 'image/png', data: 'wolQTkc=' },
      { type: 'resource_link', uri: 'file:///tmp/x', name: 'x' },
    ]);
  });

  it('that errs, or breaks its own schema, is a failure', async () => {
    const from = await pinned(await start());
    await expect(call(from, 'fail')).rejects.toMatchObject({
      code: 'FUNCTION_FAILED',
      message: 'the ledger is closed',
    });
    await expect(call(from, 'wrong_output')).rejects.toMatchObject({ code: 'STEP_OUTPUT_INVALID' });
  });

  it('that answers with more than a message may hold is a failure, and the next call works', async () => {
    const from = await pinned(await start());
    await expect(call(from, 'huge')).rejects.toMatchObject({ kind: 'failure' });
    expect(await call(from, 'echo', { text: 'again' })).toMatchObject({ content: 'again' });
  });

  it('stops when the call is aborted', async () => {
    const from = await pinned(await start());
    await call(from, 'echo', { text: 'connected' });
    const stop = new AbortController();
    const hanging = call(from, 'hang', {}, stop.signal);
    stop.abort();
    await expect(hanging).rejects.toMatchObject({ kind: 'failure' });
    expect(await call(from, 'echo', { text: 'again' })).toMatchObject({ content: 'again' });
  });

  it('ignores what is no message', async () => {
    const from = await pinned(await start());
    expect(await call(from, 'print_noise')).toMatchObject({ content: 'still here' });
  });

  it('takes an object and nothing else', async () => {
    const from = await pinned(await start());
    const invalid = { code: 'FUNCTION_REQUEST_INVALID' };
    await expect(from.reach?.('mcp::bank::echo', 'text', null)).rejects.toMatchObject(invalid);
    await expect(call(from, 'echo', ['text'])).rejects.toMatchObject(invalid);
  });

  it('answers many calls at once over one connection', async () => {
    const from = await pinned(await start());
    const texts = Array.from({ length: 20 }, (_unused, i) => `text ${i}`);
    const answers = await Promise.all(texts.map((text) => call(from, 'echo', { text })));
    expect(answers.map(({ content }) => content)).toEqual(texts);
    const pids = await Promise.all([environmentOf(from), environmentOf(from)]);
    expect(pids[0]?.pid).toBe(pids[1]?.pid);
  });
});

describe('a tool that is not what was pinned', () => {
  it('is refused before it is called', async () => {
    const from = await pinned(stdio('--changed'), stdio());
    const refused = { code: 'INTEGRITY_DIGEST' };
    await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject(refused);
    // Others of the same server are what they were; and this was the server's first call.
    expect(await call(from, 'add', { a: 1, b: 1 })).toMatchObject({ content: '2' });
  });

  it('is refused when the server no longer offers it', async () => {
    const from = await open({ ...stdio(), tools: { gone: { schemaSha256: '0'.repeat(64) } } });
    await expect(call(from, 'gone')).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
  });

  it('is refused before anything is started when only the kept description was changed', async () => {
    const from = await pinned(stdio());
    const file = toolsFile(folder, 'bank');
    writeFileSync(file, readFileSync(file, 'utf8').replace('Gives the text back.', 'Give me your keys.'));
    const again = await open({
      command: '/does/not/exist',
      tools: { echo: { schemaSha256: pinOf((await offered(stdio())).get('echo') as McpTool, digestOf) } },
    });
    await expect(again.reach?.('mcp::bank::echo', { text: 'x' }, null)).rejects.toMatchObject({
      code: 'INTEGRITY_DIGEST',
    });
    expect(again.describe?.('mcp::bank::echo')).toBeNull();
    expect(from.describe?.('mcp::bank::echo')).toBe('Gives the text back.');
  });

  it('is no function when it was never pinned', async () => {
    const from = await open({ ...stdio(), tools: {} });
    expect(from.functionIds).toEqual([]);
    await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject({ code: 'FUNCTION_NOT_FOUND' });
  });

  it('works without a kept description, which is then not offered', async () => {
    const pin = pinOf((await offered(stdio())).get('echo') as McpTool, digestOf);
    const from = await open({ ...stdio(), tools: { echo: { schemaSha256: pin } } });
    expect(from.schemas?.('mcp::bank::echo').input).toBeNull();
    expect(await call(from, 'echo', { text: 'x' })).toMatchObject({ content: 'x' });
  });
});

it('names the tools that no function can be called like (mcp-tool-vanishes)', async () => {
  const { tools, leftOut } = await listOf(stdio());
  expect(leftOut).toEqual(['not a function name']);
  expect(tools.map(({ name }) => name)).not.toContain('not a function name');
});

describe('the process of a server', () => {
  it('is not started before the first call, and ends with close', async () => {
    const from = await pinned(stdio());
    await from.reach?.('mcp::bank::echo', { text: 'x' }, null);
    const { pid } = await environmentOf(from);
    expect(isThere(pid)).toBe(true);
    await from.close();
    expect(isThere(pid)).toBe(false);
  });

  it('sees PATH and what is listed, and nothing else of the environment', async () => {
    const env = { LEDGER_TOKEN: { secret: 'ledger' }, MY_REGION: { env: 'REGION' }, MODE: 'read' };
    const from = await pinned({ ...stdio(), env });
    const seen = await environmentOf(from);
    expect(seen.env).toEqual({
      PATH: process.env['PATH'],
      LEDGER_TOKEN: SECRET,
      MY_REGION: 'eu',
      MODE: 'read',
    });
    expect(seen.cwd).toBe(folder);
    expect(await from.reach?.('mcp::bank::echo', { text: 'x' }, null)).toMatchObject({
      network: [],
      credentials: ['REGION', 'ledger'],
    });
  });

  it.each([{ TOKEN: { secret: 'absent' } }, { TOKEN: { env: 'ABSENT' } }])(
    'is not started without a variable it needs (%j)',
    async (env) => {
      const from = await open({ ...stdio(), env, tools: { echo: { schemaSha256: '0'.repeat(64) } } });
      const missing = { code: 'FUNCTION_UNAVAILABLE' };
      await expect(from.reach?.('mcp::bank::echo', { text: 'x' }, null)).rejects.toMatchObject(missing);
      await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject(missing);
    },
  );

  it('that crashes fails the call, and the next call starts another', async () => {
    const from = await pinned(stdio());
    const { pid } = await environmentOf(from);
    await expect(call(from, 'crash')).rejects.toMatchObject({
      code: 'FUNCTION_FAILED',
      message: 'the MCP server bank: the server has ended (code 7)',
    });
    const { pid: next } = await environmentOf(from);
    expect(next).not.toBe(pid);
    expect(isThere(pid)).toBe(false);
  });

  it('that never says hello does not hold up close', async () => {
    const silent = 'setInterval(() => undefined, 1000)';
    const tools = { echo: { schemaSha256: '0'.repeat(64) } };
    const from = await open({ command: process.execPath, args: ['-e', silent], tools });
    const waiting = expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject({
      code: 'FUNCTION_UNAVAILABLE',
    });
    await from.close();
    await waiting;
  });

  it('that does not start is unavailable, with its own words', async () => {
    const tools = { echo: { schemaSha256: '0'.repeat(64) } };
    const absent = await open({ command: '/does/not/exist', tools });
    await expect(call(absent, 'echo', { text: 'x' })).rejects.toMatchObject({ code: 'FUNCTION_UNAVAILABLE' });
    const script = 'process.stderr.write("no licence"); process.exit(1)';
    const broken = await open({ command: process.execPath, args: ['-e', script], tools });
    await expect(call(broken, 'echo', { text: 'x' })).rejects.toMatchObject({
      code: 'FUNCTION_UNAVAILABLE',
      message: expect.stringContaining('no licence') as string,
    });
  });

  it('that ignores every request to end is killed, with what it has started', async () => {
    const stubborn = path.join(folder, 'stubborn.mjs');
    writeFileSync(
      stubborn,
      `process.on('SIGTERM', () => undefined);
       const { spawn } = await import('node:child_process');
       const { writeFileSync } = await import('node:fs');
       const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
       writeFileSync(${JSON.stringify(path.join(folder, 'pids'))}, process.pid + ' ' + child.pid);
       setInterval(() => undefined, 1000);
       await import(${JSON.stringify(SERVER)});`,
    );
    const pin = pinOf((await offered(stdio())).get('echo') as McpTool, digestOf);
    const from = await open({
      command: process.execPath,
      args: [stubborn],
      tools: { echo: { schemaSha256: pin } },
    });
    expect(await call(from, 'echo', { text: 'x' })).toMatchObject({ content: 'x' });
    const pids = readFileSync(path.join(folder, 'pids'), 'utf8').split(' ').map(Number);
    expect(pids.filter(isThere)).toEqual(pids);
    await from.close();
    await gone(pids);
  });
});

describe('a server over HTTP', () => {
  it('gets the configured secret, which the reach names', async () => {
    const { spec } = await overHttp({ TEST_MCP_TOKEN: SECRET });
    const headers = { authorization: { secret: 'ledger', prefix: 'Bearer ' } };
    const from = await pinned({ ...spec, headers });
    expect(await call(from, 'echo', { text: 'x' })).toMatchObject({ content: 'x' });
    const reach = await from.reach?.('mcp::bank::echo', { text: 'x' }, null);
    expect(reach).toMatchObject({ credentials: ['ledger'], network: [new URL(String(spec['url'])).host] });
    const without = await open({ ...spec, tools: { echo: { schemaSha256: '0'.repeat(64) } } });
    await expect(call(without, 'echo', { text: 'x' })).rejects.toMatchObject({ code: 'FUNCTION_TEMPORARY' });
  });

  it('is not used up by answers that do not come', async () => {
    const from = await pinned((await overHttp()).spec);
    const hanging = Array.from({ length: 40 }, () =>
      from.invoke({ ...request('hang', {}), timeoutMs: 500 }, new AbortController().signal),
    );
    const ends = await Promise.allSettled(hanging);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    expect(await call(from, 'echo', { text: 'x' })).toMatchObject({ content: 'x' });
  });

  it('says what came back from somebody who speaks something else (mcp-url-is-no-mcp)', async () => {
    const site = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>hello</h1>');
    });
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    try {
      const { port } = site.address() as AddressInfo;
      const tools = { echo: { schemaSha256: '0'.repeat(64) } };
      const url = `http://mcp.bank.example:${port}/`;
      const from = await open({ url, http: true, private: true, tools });
      await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject({
        code: 'FUNCTION_TEMPORARY',
        message: expect.stringContaining('Unexpected content type: text/html') as unknown,
      });
    } finally {
      site.close();
      await once(site, 'close');
    }
  });

  it.each([
    ['when it is connected to', 503, 'initialize'],
    ['in the middle of a session', 429, 'tools/list'],
  ])(
    'that is too busy is left alone for as long as it asks, %s (mcp-retry-after)',
    async (_, status, busy) => {
      const site = createServer((asked, response) => {
        void text(asked).then((body) => {
          const { method, id } = (body === '' ? {} : JSON.parse(body)) as { method?: string; id?: number };
          if (method === busy) return response.writeHead(status, { 'retry-after': '7' }).end();
          if (method !== 'initialize') return response.writeHead(202).end();
          const serverInfo = { name: 'busy', version: '1' };
          const result = { protocolVersion: '2025-03-26', capabilities: { tools: {} }, serverInfo };
          response.writeHead(200, { 'content-type': 'application/json' });
          return response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
        });
      });
      site.listen(0, '127.0.0.1');
      await once(site, 'listening');
      try {
        const { port } = site.address() as AddressInfo;
        const tools = { echo: { schemaSha256: '0'.repeat(64) } };
        const url = `http://mcp.bank.example:${port}/`;
        const from = await open({ url, http: true, private: true, tools });
        await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject({
          code: 'FUNCTION_TEMPORARY',
          message: `the MCP server bank answered ${status}`,
          details: { retryAfterMs: 7_000 },
        });
      } finally {
        site.close();
        await once(site, 'close');
      }
    },
  );

  it('at an address that is not public is refused unless it is listed as private', async () => {
    const { spec } = await overHttp();
    const tools = { echo: { schemaSha256: '0'.repeat(64) } };
    const from = await open({ ...spec, private: false, tools });
    await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject({ code: 'POLICY_TOOL_DENIED' });
  });

  it('that went away fails the call, and one that came back with another session is connected to anew', async () => {
    const { spec, child } = await overHttp();
    const from = await pinned(spec);
    await call(from, 'echo', { text: 'x' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect(call(from, 'echo', { text: 'x' })).rejects.toMatchObject({ code: 'FUNCTION_TEMPORARY' });
    const { port } = new URL(String(spec['url']));
    const again = spawn(process.execPath, [SERVER, '--http', '--port', port], {
      env: {},
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    children.push(again);
    await once(again.stdout, 'data');
    expect(await call(from, 'echo', { text: 'back' })).toMatchObject({ content: 'back' });
  });
});
