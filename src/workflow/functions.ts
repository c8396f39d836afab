// The function ids a document may name, their aliases, and what each needs in its request (AgentOS
// page). Aliases are resolved at load, so policy, approval and audit only ever see the target.

/** Every function of this version. The caller narrows it to what is registered. */
export const KNOWN_FUNCTIONS: ReadonlySet<string> = new Set([
  'agent::chat',
  'hand::run',
  'tool::shell_exec',
  'tool::wasm',
  'tool::health_check',
  'tool::http_request',
  'security::check',
]);

/** The spelling of a function's id, as the schema of dialect 1 has it. */
export const FUNCTION_ID = /^[a-z][a-z0-9_]*(::[A-Za-z0-9_.-]+)+$/;

/** Is `functionId` among them? Without a runner's own list, a tool of an MCP server can't be known to be absent. */
export function isRegistered(functionId: string, functions: ReadonlySet<string>): boolean {
  return functions.has(functionId) || (functions === KNOWN_FUNCTIONS && functionId.startsWith('mcp::'));
}

/** Functions whose request has a `message` made of the promptTemplate, given or not. */
export const PROMPTED: ReadonlySet<string> = new Set(['agent::chat']);

/** Has the request no place for a `message`? A function of the embedding program may have one. */
export function takesNoPrompt(functionId: string): boolean {
  return !PROMPTED.has(functionId) && /^(?:agent|tool|hand|security|mcp)::/.test(functionId);
}

/** Functions whose request must have one of these fields. */
export const REQUIRED_CONFIG: ReadonlyMap<string, readonly string[]> = new Map([
  ['hand::run', ['handId']],
  ['tool::shell_exec', ['argv', 'command']],
  ['tool::wasm', ['module']],
  ['tool::http_request', ['url']],
]);

const CHAT_CONFIG = [
  'agentId',
  'sessionId',
  'systemPrompt',
  'provider',
  'model',
  'responseSchema',
  'tools',
  'maxTurns',
];
const HTTP_CONFIG = ['url', 'method', 'headers', 'body', 'timeoutMs', 'maxBytes', 'failOn'];
const SHELL_CONFIG = ['argv', 'command', 'cwd', 'env', 'stdin', 'image', 'files', 'outputs'];
const WASM_CONFIG = ['module', 'input', 'stdin', 'args', 'env', 'files', 'outputs', 'deterministic'];

/**
 * Functions whose request has these fields and no other: what is misspelt is found before anything runs, and nothing is
 * passed through to a sandbox, a model or a host that nobody reads.
 */
export const KNOWN_CONFIG: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['agent::chat', new Set(['message', ...CHAT_CONFIG])],
  ['hand::run', new Set(['handId', 'input'])],
  ['tool::http_request', new Set(HTTP_CONFIG)],
  ['tool::health_check', new Set(['url', 'service'])],
  ['security::check', new Set(['subject', 'action', 'resource'])],
  ['tool::shell_exec', new Set(SHELL_CONFIG)],
  ['tool::wasm', new Set(WASM_CONFIG)],
]);

/**
 * Has the request no place for `fanoutResults`, which mode collect adds? Then a step reads what it collects by
 * {{fanout}}. Models and hands have one; so may a function of the embedding program or of an MCP server.
 */
export function takesNoResults(functionId: string): boolean {
  return KNOWN_FUNCTIONS.has(functionId) && !/^(?:agent|hand)::/.test(functionId);
}

export interface ResolvedFunction {
  readonly functionId: string;
  /** From `hand::run::<id>`. */
  readonly handId: string | null;
  /** From `security::docker_exec`. */
  readonly sandbox: 'docker' | null;
}

/** The target of an alias; any other id is its own target. */
export function resolveFunction(id: string): ResolvedFunction {
  const target = (functionId: string) => ({ functionId, handId: null, sandbox: null });
  const hand = /^hand::run::(.+)$/.exec(id);
  if (hand !== null) return { ...target('hand::run'), handId: hand[1] ?? null };
  if (id.startsWith('fn::')) return target(`tool::${id.slice('fn::'.length)}`);
  switch (id) {
    case 'hand::trigger':
      return target('hand::run');
    case 'wasm::execute':
      return target('tool::wasm');
    case 'security::docker_exec':
      return { ...target('tool::shell_exec'), sandbox: 'docker' };
    case 'security::check_capability':
      return target('security::check');
    case 'health::check':
      return target('tool::health_check');
    case 'http::request':
      return target('tool::http_request');
    default:
      return target(id);
  }
}
