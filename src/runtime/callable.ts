// What a task calls, looked up but not called: an agent package by digest, a shipped WASM module by name, or a
// registered function. Nothing here runs; runtime/guard.ts does.
import { WritError } from '../errors.js';
import { isObject, type Digest, type Json, type JsonObject } from '../json.js';
import type { ApprovalSpec, Plan, TaskNode } from '../workflow/plan.js';
import type {
  AgentPackage,
  FunctionProvider,
  ModuleStore,
  PackageStore,
  RunRecord,
  SandboxDriver,
} from './ports.js';

export interface Callables {
  readonly packages: PackageStore;
  readonly modules: ModuleStore;
  readonly drivers: Readonly<Partial<Record<'wasm' | 'docker', SandboxDriver>>>;
  readonly providers: readonly FunctionProvider[];
  /** What only workflows of this runner itself call (`audit::…`); no document can name it. */
  readonly builtIn?: readonly FunctionProvider[];
}

/** A callable with everything policy has to know about it. */
export type Callable = SandboxedCallable | ProvidedCallable;

interface CallableFacts {
  /** The resource policy is asked about: function id, or `<repository>@sha256:…`. */
  readonly resource: string;
  readonly action: 'agent.invoke' | 'function.invoke';
  /** The acting agent, `agent:<name>`; null where the task has none (dialect 2 `resource`). */
  readonly agent: string | null;
  readonly agentDigest: Digest | null;
  /** The verified package, a ceiling layer of its own; null when nothing packaged is called. */
  readonly package: AgentPackage | null;
  readonly approval: ApprovalSpec | null;
}

export interface SandboxedCallable extends CallableFacts {
  readonly kind: 'sandbox';
  readonly driver: SandboxDriver;
  readonly module: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly argv: readonly string[];
  readonly stdin: Uint8Array;
  /** `agent`: stdout is the JSON result. `tool`: the result is {stdout, stderr, exitCode, durationMs}. */
  readonly result: 'agent' | 'tool';
}

export interface ProvidedCallable extends CallableFacts {
  readonly kind: 'function';
  readonly provider: FunctionProvider;
  readonly functionId: string;
}

/** Function ids this runner can run; anything else is an unknown function. */
export function registeredFunctions(callables: Callables): ReadonlySet<string> {
  return new Set(['tool::wasm', ...callables.providers.flatMap((provider) => provider.functionIds)]);
}

/**
 * Throws FUNCTION_NOT_FOUND, FUNCTION_REQUEST_INVALID, DOC_AGENT_UNRESOLVED, SANDBOX_UNAVAILABLE, or INTEGRITY_*
 * when bytes are not what their digest says.
 */
export async function resolveCallable(
  callables: Callables,
  plan: Plan,
  run: Pick<RunRecord, 'agents'>,
  node: TaskNode,
  input: Json,
): Promise<Callable> {
  if (node.call.kind === 'agent') return resolveAgent(callables, node, node.call, input);
  const functionId = node.call.functionId;
  const facts = {
    resource: functionId,
    action: 'function.invoke',
    agent: actingAgent(plan, run, node),
    agentDigest: null,
    package: null,
    approval: node.approval,
  } as const;
  if (functionId === 'tool::wasm') return { ...facts, ...(await resolveModule(callables, node, input)) };
  const provider = [...(callables.builtIn ?? []), ...callables.providers].find((one) =>
    one.functionIds.includes(functionId),
  );
  if (provider === undefined) {
    throw new WritError(
      'FUNCTION_NOT_FOUND',
      `"${node.name}" calls ${functionId}, which is not registered here`,
    );
  }
  if (node.sandbox !== null) {
    throw new WritError(
      'SANDBOX_UNSUPPORTED',
      `${functionId} runs outside a sandbox; "${node.name}" asks for one`,
    );
  }
  return { ...facts, kind: 'function', provider, functionId };
}

async function resolveAgent(
  callables: Callables,
  node: TaskNode,
  call: { readonly name: string; readonly digest: Digest },
  input: Json,
): Promise<SandboxedCallable> {
  const reference = `${call.name}@${call.digest}`;
  const found = await callables.packages.resolve(call.digest);
  if (found === null) {
    throw new WritError(
      'DOC_AGENT_UNRESOLVED',
      `"${node.name}" needs ${reference}, which no package store here holds`,
      {
        hint: 'put the package into a packages/ folder beside the workflow file',
      },
    );
  }
  return {
    kind: 'sandbox',
    resource: reference,
    action: 'agent.invoke',
    agent: `agent:${found.name}`,
    agentDigest: found.digest,
    package: found,
    approval: node.approval,
    driver: driverOf(callables, node),
    module: found.module,
    argv: found.argv,
    stdin: new TextEncoder().encode(JSON.stringify(input)),
    result: 'agent',
  };
}

async function resolveModule(
  callables: Callables,
  node: TaskNode,
  input: Json,
): Promise<Pick<SandboxedCallable, 'kind' | 'driver' | 'module' | 'argv' | 'stdin' | 'result'>> {
  const request = wasmRequest(node, input);
  const module = await callables.modules.module(request.module);
  if (module === null) {
    const names = (await callables.modules.names()).join(', ');
    throw new WritError(
      'FUNCTION_REQUEST_INVALID',
      `"${node.name}" asks tool::wasm for a module that is not shipped`,
      {
        hint: `shipped modules: ${names}`,
      },
    );
  }
  // A string is passed as it is, anything else as JSON.
  const text = typeof request.input === 'string' ? request.input : JSON.stringify(request.input);
  return {
    kind: 'sandbox',
    driver: driverOf(callables, node),
    module,
    argv: [request.module],
    stdin: new TextEncoder().encode(text),
    result: 'tool',
  };
}

function wasmRequest(node: TaskNode, input: Json): { readonly module: string; readonly input: Json } {
  const request: JsonObject = isObject(input) ? input : {};
  // The input is data of the run: no message names a part of it.
  const unknown = Object.keys(request).find((key) => key !== 'module' && key !== 'input');
  const module = request['module'];
  if (unknown !== undefined || typeof module !== 'string') {
    const problem =
      unknown === undefined ? 'needs config.module, a name' : 'has a field besides module and input';
    throw new WritError('FUNCTION_REQUEST_INVALID', `tool::wasm of "${node.name}" ${problem}`, {
      hint: 'config: { module: <name>, input: <value for stdin> }',
    });
  }
  return { module, input: request['input'] ?? null };
}

/** Code always runs in a sandbox; a driver that is not there means refuse, never the host. */
function driverOf(callables: Callables, node: TaskNode): SandboxDriver {
  const kind = node.sandbox?.driver ?? 'wasm';
  const driver = callables.drivers[kind];
  if (driver !== undefined) return driver;
  throw new WritError(
    'SANDBOX_UNAVAILABLE',
    `"${node.name}" asks for sandbox ${kind}, which this runner does not have`,
    {
      hint: 'use sandbox: wasm',
    },
  );
}

/** agentos-dialect section 8: step agent, then the list by position, then its first; `--agent` maps the role. */
function actingAgent(plan: Plan, run: Pick<RunRecord, 'agents'>, node: TaskNode): string | null {
  if (plan.dialect === 'states') return null;
  const keys = Object.keys(plan.nodes);
  const position = keys.findIndex((key) => plan.nodes[key] === node);
  const named = node.call.kind === 'function' ? node.call.agent : null;
  const role = named ?? (plan.agents.length === keys.length ? plan.agents[position] : plan.agents[0]);
  if (role === undefined) {
    throw new WritError('POLICY_REQUEST_INVALID', `"${node.name}" has no acting agent`, {
      hint: "list the workflow's agents, or give the step an agent",
    });
  }
  return `agent:${Object.hasOwn(run.agents, role) ? (run.agents[role] ?? role) : role}`;
}
