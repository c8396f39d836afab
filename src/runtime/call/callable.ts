// What a task calls, looked up but not called: an agent package by digest, a shipped WASM module by name, or a
// registered function. Nothing here runs; runtime/guard.ts does.
import { WritError } from '../../errors.js';
import type { Digest, Json } from '../../json.js';
import { isRunnersOwn } from '../../policy/ceiling/facts.js';
import type { ApprovalSpec, Plan, TaskNode } from '../../workflow/plan.js';
import { STATE_GATE } from '../../workflow/state-gate.js';
import type {
  AgentPackage,
  FunctionProvider,
  ImageNames,
  ModuleStore,
  PackagePolicies,
  PackageStore,
  RunRecord,
  SandboxDriver,
  SandboxEgress,
  SandboxRequest,
} from '../ports.js';
import { SHELL_EXEC, shellModule, shellRequest, type ProgramCall } from './shell-call.js';
import { wasmCall } from './wasm-call.js';

export interface Callables {
  readonly packages: PackageStore;
  /** Evaluates the policy text of packages; absent: one that has text is refused. */
  readonly packagePolicies?: PackagePolicies;
  readonly modules: ModuleStore;
  readonly drivers: Readonly<Partial<Record<'wasm' | 'docker', SandboxDriver>>>;
  /** Images by name; absent = none is named. */
  readonly images?: ImageNames;
  readonly providers: readonly FunctionProvider[];
  /** Of the runner itself, found before any other. Of these, no document can name `audit::…`. */
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
  /** All of it but the limits, which policy decides. */
  readonly request: Omit<SandboxRequest, 'limits' | 'deterministic' | 'egress'>;
  /** Where it may connect to, as its step asks for; absent = nowhere. */
  readonly egress?: EgressAsked;
  /** The program sees the attempt's own clock and random bytes, the same each time it runs. */
  readonly deterministic?: true;
  /**
   * `agent`: stdout is the JSON result. `tool`: the result is {stdout, stderr, exitCode, durationMs}. `shell`: that and
   * `truncated`, at most SHELL_STDOUT_BYTES and SHELL_STDERR_BYTES of it.
   */
  readonly result: 'agent' | 'tool' | 'shell';
}

/** A step's own words; sandbox-request.ts makes of them what a driver is asked for. How much may pass, policy decides. */
export type EgressAsked = Pick<SandboxEgress, 'hosts' | 'credentials'>;

export interface ProvidedCallable extends CallableFacts {
  readonly kind: 'function';
  readonly provider: FunctionProvider;
  readonly functionId: string;
}

/** Function ids this runner can run; anything else is an unknown function. */
export function registeredFunctions(callables: Callables): ReadonlySet<string> {
  return new Set([
    'tool::wasm',
    SHELL_EXEC,
    ...(callables.builtIn ?? []).flatMap((one) => one.functionIds.filter((id) => !isRunnersOwn(id))),
    ...callables.providers.flatMap((provider) => provider.functionIds),
  ]);
}

/** Whether what the task calls is there, as far as it is a function: a package is in the data directory, whoever asks. */
export function hasFunctionOf(callables: Callables, { call }: Pick<TaskNode, 'call'>): boolean {
  if (call.kind === 'agent' || call.waits === 'person') return true;
  const { functionId } = call;
  if (functionId === 'tool::wasm' || functionId === SHELL_EXEC || functionId === STATE_GATE) return true;
  return providerOf(callables, functionId) !== undefined;
}

function providerOf(
  { builtIn = [], providers }: Callables,
  functionId: string,
): FunctionProvider | undefined {
  return [...builtIn, ...providers].find((one) => one.functionIds.includes(functionId));
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
  if (functionId === SHELL_EXEC) return { ...facts, ...(await resolveShell(callables, node, input)) };
  if (node.call.waits === 'person') return { ...facts, kind: 'function', provider: PERSON, functionId };
  if (functionId === STATE_GATE) return { ...facts, kind: 'function', provider: GATE, functionId };
  const provider = providerOf(callables, functionId);
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

/** A person answers in its place (task/open.ts): it has no function and is never called. */
const PERSON: FunctionProvider = {
  functionIds: [],
  invoke: () => Promise.reject(new WritError('INTERNAL', 'a form is filled in by a person, not called')),
};

/** Nothing is done where only an approval was asked for: the run goes on. */
const GATE: FunctionProvider = { functionIds: [], invoke: () => Promise.resolve(null) };

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
    driver: driverOf(callables, node, 'wasm'),
    request: {
      program: { kind: 'module', ...found.module },
      argv: found.argv,
      env: {},
      stdin: new TextEncoder().encode(JSON.stringify(input)),
    },
    ...egressOf(node),
    result: 'agent',
  };
}

/** Whatever the sandbox: its driver refuses what it can't keep. */
function egressOf({ sandbox }: TaskNode): { readonly egress?: EgressAsked } {
  const { egress: hosts, credentials = [] } = sandbox ?? {};
  return hosts === undefined ? {} : { egress: { hosts, credentials } };
}

async function resolveModule(callables: Callables, node: TaskNode, input: Json): Promise<SandboxedParts> {
  return moduleParts(callables, node, wasmCall(node.name, input), 'tool');
}

type SandboxedParts = Pick<
  SandboxedCallable,
  'kind' | 'driver' | 'request' | 'egress' | 'deterministic' | 'result'
>;

async function moduleParts(
  callables: Callables,
  node: TaskNode,
  { name, deterministic, ...call }: ProgramCall,
  result: SandboxedCallable['result'],
): Promise<SandboxedParts> {
  const { mounts } = node.sandbox ?? {};
  // Its driver refuses them: they are asked for, and not to be forgotten on the way.
  const request = mounts === undefined ? call : { ...call, mounts };
  const driver = driverOf(callables, node, 'wasm');
  const module = await callables.modules.module(name);
  if (module === null) {
    const names = (await callables.modules.names()).join(', ');
    throw new WritError(
      'FUNCTION_REQUEST_INVALID',
      `"${node.name}" asks for a WASM module that is neither shipped nor kept here`,
      {
        hint: `shipped modules: ${names}; one of your own is named by its sha256 once it is kept: writ sandbox exec --module FILE.wasm`,
      },
    );
  }
  return {
    kind: 'sandbox',
    driver,
    request: { ...request, program: { kind: 'module', ...module } },
    ...(deterministic ? { deterministic } : {}),
    ...egressOf(node),
    result,
  };
}

/** A command: a program of an image, or where the step says so, a WASM module. The host is never used. */
async function resolveShell(callables: Callables, node: TaskNode, input: Json): Promise<SandboxedParts> {
  if (node.sandbox?.driver === 'wasm')
    return moduleParts(callables, node, shellModule(node.name, input), 'shell');
  const driver = driverOf(callables, node, 'docker');
  const request = shellRequest(node.name, input, node.sandbox?.image ?? null, callables.images ?? NO_IMAGES);
  const { mounts } = node.sandbox ?? {};
  const seen = mounts === undefined ? request : { ...request, mounts };
  return { kind: 'sandbox', driver, request: seen, ...egressOf(node), result: 'shell' };
}

const NO_IMAGES: ImageNames = { names: () => [], image: () => null };

/** Code always runs in a sandbox of the kind it is made for; a driver that is not there means refuse, never the host. */
function driverOf(callables: Callables, node: TaskNode, kind: 'wasm' | 'docker'): SandboxDriver {
  const asked = node.sandbox?.driver ?? kind;
  if (asked !== kind) {
    const what = kind === 'wasm' ? 'runs a WASM module' : 'runs a program of an image';
    throw new WritError('SANDBOX_UNSUPPORTED', `"${node.name}" asks for sandbox ${asked}, and ${what}`, {
      hint: `use sandbox: ${kind}`,
    });
  }
  const driver = callables.drivers[kind];
  if (driver !== undefined) return driver;
  throw new WritError(
    'SANDBOX_UNAVAILABLE',
    `"${node.name}" asks for sandbox ${kind}, which this runner does not have`,
    { hint: 'run `writ doctor` to see which sandboxes are here' },
  );
}

export const NO_AGENT_HINT =
  "write agents: [NAME] beside steps, or agent: NAME in the step; for one run: --agent '*=NAME' (agentId of trigger)";

/** AgentOS page: the step's agent, else the run's own, else the workflow's; `--agent` maps the role. */
export function actingAgent(plan: Plan, run: Pick<RunRecord, 'agents'>, node: TaskNode): string | null {
  if (plan.dialect === 'states' || node.call.kind === 'agent') return null;
  const own = Object.hasOwn(run.agents, '*') ? run.agents['*'] : undefined;
  const role = node.call.agent ?? own ?? node.call.fallback;
  if (role === null) {
    throw new WritError('POLICY_REQUEST_INVALID', `"${node.name}" has no acting agent`, {
      hint: NO_AGENT_HINT,
    });
  }
  const name = Object.hasOwn(run.agents, role) ? (run.agents[role] ?? role) : role;
  // Policy files spell it with its kind: whoever copies it from there means the same agent.
  return name.startsWith('agent:') ? name : `agent:${name}`;
}

/** Who a step acts as, for people to see: its agent, else whoever started the run. Nothing is decided by it. */
export function principalOf(
  plan: Plan,
  run: Pick<RunRecord, 'agents' | 'initiator'>,
  node: TaskNode,
): string {
  try {
    return actingAgent(plan, run, node) ?? run.initiator;
  } catch (error) {
    // Nobody acts: the step is refused for that.
    if (error instanceof WritError) return run.initiator;
    throw error;
  }
}
