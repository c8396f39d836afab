// A conversation driven as the runtime drives it, without policy: turn after turn, every call answered by `run`.
// For tests of what conversing functions do; what may run is the guard's part.
import type {
  AgentDefinition,
  CallAnswer,
  FunctionProvider,
  HandDefinition,
  ModelProvider,
  ModelsDefinition,
  Turn,
  Usage,
} from '../../src/runtime/ports.js';
import { openAgentFunctions } from '../../src/adapters/functions/agent-functions.js';
import type { AgentParts } from '../../src/adapters/functions/agent-parts.js';
import { isDigest, type Digest, type Json } from '../../src/json.js';
import { WritError } from '../../src/errors.js';

type Asked = Extract<Turn, { kind: 'calls' }>['calls'][number];

export interface Told {
  readonly output: Json;
  /** Of every turn. */
  readonly usage: readonly Usage[];
  readonly asked: readonly Asked[];
  /** Transcripts as they were between the turns. */
  readonly transcripts: readonly Json[];
  readonly progress: string;
}

export interface TalkOptions {
  readonly functionId?: string;
  readonly agent?: string | null;
  readonly run?: (call: Asked) => Omit<CallAnswer, 'id' | 'functionId'>;
  readonly signal?: AbortSignal;
}

/** Drives to the end; stops after 200 turns. */
export async function talk(
  provider: FunctionProvider,
  input: Json,
  { functionId = 'agent::chat', agent = 'agent:tester', run = ran, signal }: TalkOptions = {},
): Promise<Told> {
  let progress = '';
  const request = {
    functionId,
    input,
    run: 'run-1',
    stepPath: 'ask',
    agent,
    idempotencyKey: 'key',
    timeoutMs: 10_000,
    progress: (text: string) => {
      progress += text;
    },
  };
  const asked: Asked[] = [];
  const transcripts: Json[] = [];
  const usage: Usage[] = [];
  let so: { transcript: Json; answers: readonly CallAnswer[] } = { transcript: null, answers: [] };
  for (let turns = 0; turns < 200; turns++) {
    const turn = await provider.converse?.(request, so, signal ?? new AbortController().signal);
    if (turn === undefined) throw new TypeError('the provider does not converse');
    usage.push(turn.usage);
    if (turn.kind === 'done') return { output: turn.output, usage, asked, transcripts, progress };
    asked.push(...turn.calls);
    transcripts.push(turn.transcript);
    const answers = turn.calls.map((call) => ({ id: call.id, functionId: call.functionId, ...run(call) }));
    // As the store does it: text, and back.
    so = { transcript: JSON.parse(JSON.stringify(turn.transcript)) as Json, answers };
  }
  throw new TypeError('no end after 200 turns');
}

function ran({ functionId }: Asked): Omit<CallAnswer, 'id' | 'functionId'> {
  return { status: 'succeeded', output: { ran: functionId } };
}

/** The code, message and hint of what `work` throws. */
export async function refusal(
  work: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string }> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return { code: error.code, message: error.message, hint: error.hint ?? '' };
  }
  throw new TypeError('nothing was thrown');
}

export const DIGEST: Digest = digest('0');

function digest(digit: string): Digest {
  const text = `sha256:${digit.repeat(64)}`;
  if (!isDigest(text)) throw new TypeError('no digest');
  return text;
}

export function agentNamed(name: string, fields: Partial<AgentDefinition> = {}): AgentDefinition {
  return {
    name,
    description: '',
    provider: null,
    model: null,
    systemPrompt: null,
    tools: [],
    maxTurns: 10,
    temperature: null,
    maxOutputTokens: null,
    prices: null,
    digest: DIGEST,
    ...fields,
  };
}

export function handNamed(id: string, fields: Partial<HandDefinition> = {}): HandDefinition {
  return {
    id,
    name: id,
    description: '',
    enabled: true,
    agent: null,
    systemPrompt: null,
    allowed: [],
    input: null,
    maxTurns: null,
    temperature: null,
    maxOutputTokens: null,
    digest: DIGEST,
    ...fields,
  };
}

export function providerAt(baseUrl: string, fields: Partial<ModelProvider> = {}): ModelProvider {
  return {
    name: 'environment',
    baseUrl,
    key: { kind: 'env', name: 'WRIT_MODEL_API_KEY' },
    model: 'stand-in',
    plainHttp: false,
    prices: new Map(),
    ...fields,
  };
}

const TOOLS: Readonly<Record<string, string>> = {
  'tool::lookup': 'Looks a claim up.',
  'tool::pay': 'Pays.',
  'mcp::tracker::list': 'Lists issues.',
  'mcp::tracker::close': 'Closes one.',
};

export const NO_MODELS: ModelsDefinition = { default: null, providers: new Map() };

/** The functions over a catalog of four tools; `fields` replace what is configured. */
export function functionsAt(baseUrl: string, fields: Partial<AgentParts> = {}): FunctionProvider {
  return openAgentFunctions({
    agents: new Map(),
    hands: new Map(),
    models: NO_MODELS,
    environment: providerAt(baseUrl),
    env: { WRIT_MODEL_API_KEY: 'sk-stand-in-0123456789' },
    secret: () => null,
    nowMs: () => 1_700_000_000_000,
    tools: {
      functionIds: () => [...Object.keys(TOOLS), 'agent::chat', 'hand::run'],
      describe: (id) => {
        const description = TOOLS[id];
        const inputSchema = { type: 'object', properties: { id: { type: 'string' } } };
        return description === undefined ? null : { description, inputSchema };
      },
    },
    ...fields,
  });
}
