// What `writ policy check` and `explain` ask, from words and flags. What the command line leaves out is taken as the
// plain case and said with the answer, so that nobody takes the answer for more than it is.
import { parse } from 'yaml';
import { WritError } from '../../errors.js';
import type { PolicyQuestion, PolicySnapshot } from '../../policy/index.js';
import { DEFAULT_STEP_TIMEOUT_MS } from '../../workflow/steps/step.js';
import { readTextFile } from '../bounded-read.js';
import type { Context } from '../context.js';

export interface QuestionFlags {
  readonly domain?: string;
  readonly agent?: string;
  readonly sandbox?: string;
  readonly network: readonly string[];
  readonly mount: readonly string[];
  readonly credential: readonly string[];
  readonly label: readonly string[];
  readonly unlabelled: boolean;
  readonly classification?: string;
  readonly timeoutMs?: string;
  readonly memoryMib?: string;
  readonly at?: string;
}

export interface AskedQuestion {
  readonly question: PolicyQuestion;
  /** What was taken for granted, in words. */
  readonly assumed: readonly string[];
}

/** The directory of a command, read and checked. Throws POLICY_INVALID. */
export async function loadHere(directory: string): Promise<PolicySnapshot> {
  const { loadPolicies } = await import('../../library/policy.js');
  return loadPolicies(directory);
}

/** SUBJECT ACTION RESOURCE. */
export async function questionOf(
  context: Context,
  snapshot: PolicySnapshot,
  [subject = '', action = '', resource = '']: readonly string[],
  flags: QuestionFlags,
): Promise<AskedQuestion> {
  const { agent, sandbox, network, credential, label, timeoutMs, memoryMib, at } = flags;
  const assumed: string[] = [];
  const domain = flags.domain ?? (await domainHere(context, snapshot));
  const kind = sandbox === undefined ? usualSandbox(snapshot, domain, action, resource) : sandboxOf(sandbox);
  if (sandbox === undefined && kind !== null) assumed.push(`sandbox ${kind} (--sandbox)`);
  if (action === 'agent.invoke') assumed.push('that the bytes of the package name it so, too');
  if (action === 'function.invoke' || action === 'agent.invoke')
    assumed.push(...aboutData(snapshot, domain, flags));
  // A step of the AgentOS dialect asks for a time, also where it names none, and a ceiling below it says no.
  const usualMs = action === 'function.invoke' && timeoutMs === undefined ? DEFAULT_STEP_TIMEOUT_MS : null;
  if (usualMs !== null) assumed.push(`timeout ${usualMs} ms, of a step that names none (--timeout-ms)`);
  const limits = {
    ...(usualMs === null ? {} : { timeoutMs: usualMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs: wholeOf('--timeout-ms', timeoutMs) }),
    ...(memoryMib === undefined ? {} : { memoryMiB: wholeOf('--memory-mib', memoryMib) }),
  };
  return {
    question: {
      ...{ initiator: subject, domain, action, resource, network, limits, credentials: credential },
      mounts: flags.mount.map(mountOf),
      ...(agent === undefined ? {} : { agent: agent.includes(':') ? agent : `agent:${agent}` }),
      ...(kind === null ? {} : { sandbox: kind }),
      ...(label.length === 0 && !flags.unlabelled ? {} : { labels: label }),
      ...classified(flags.classification),
      at: at ?? new Date(context.nowMs()).toISOString().replace(/\.\d+Z$/u, 'Z'),
    },
    assumed,
  };
}

/** A whole question as tests/*.yaml spell it: JSON, or @FILE in JSON or YAML. */
export async function wholeQuestion(text: string, nowMs: number): Promise<AskedQuestion> {
  const source = text.startsWith('@')
    ? await readTextFile(text.slice(1), { tooLarge: 'INPUT_INVALID', notText: 'INPUT_INVALID' })
    : text;
  let value: unknown;
  try {
    value = parse(source, { schema: 'core', maxAliasCount: 0 });
  } catch (cause) {
    throw new WritError('INPUT_INVALID', 'the question is neither JSON nor YAML', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WritError('INPUT_INVALID', 'the question is no object', {
      hint: '{initiator, domain, action, resource, …}, as in policies/tests/*.yaml',
    });
  }
  const timed = 'at' in value || 'nowMs' in value ? value : { ...value, nowMs };
  // Judged field by field by the policy room: what is none is denied, and says why.
  return { question: timed as PolicyQuestion, assumed: [] };
}

/** The tenant of the data directory; without one, the only domain there is. */
async function domainHere(context: Context, snapshot: PolicySnapshot): Promise<string> {
  const { pathsOf, readConfig } = await import('../../data-directory.js');
  const config = await readConfig(pathsOf(context.data).config);
  if (config !== null) return config.tenant;
  const domains = [...snapshot.domains];
  const [only] = domains;
  if (only !== undefined && (domains.length === 1 || domains.includes('default'))) {
    return domains.length === 1 ? only : 'default';
  }
  throw new WritError('USAGE', 'which domain is asked about?', {
    hint: `--domain, one of ${domains.join(', ')}`,
  });
}

/**
 * The sandbox that it would run in, as the guard chooses it: packages and modules in WASM, commands in a container unless
 * the ceilings leave only WASM. Any other function runs outside, and is asked about as that.
 */
function usualSandbox(
  snapshot: PolicySnapshot,
  domain: string,
  action: string,
  resource: string,
): 'wasm' | 'docker' | null {
  if (action === 'agent.invoke') return 'wasm';
  if (action !== 'function.invoke') return null;
  if (resource === 'tool::wasm') return 'wasm';
  if (resource !== 'tool::shell_exec') return null;
  const { allowed } = snapshot.layers.compose(snapshot.layers.own(domain)).ceiling.sandbox;
  return allowed === null || allowed.includes('docker') ? 'docker' : 'wasm';
}

/** What the question leaves unsaid of the data, or says in a word of its own, where a ceiling here asks for it. */
function aboutData(snapshot: PolicySnapshot, domain: string, flags: QuestionFlags): readonly string[] {
  const { data, approval } = snapshot.layers.compose(snapshot.layers.own(domain)).ceiling;
  const named = [...(data.labelsAllowed ?? []), ...approval.rules.flatMap(({ match }) => match.labels ?? [])];
  const asksLabels = data.labelsAllowed !== null || named.length > 0;
  const isUnsaid = flags.label.length === 0 && !flags.unlabelled;
  return [
    ...(asksLabels && isUnsaid ? ['labels not known (--label, --unlabelled)'] : []),
    ...(data.maxClassification !== undefined && flags.classification === undefined
      ? ['classification not known (--classification)']
      : []),
    ...flags.label
      .filter((label) => named.length > 0 && !named.includes(label))
      .map(
        (label) =>
          `that a workflow names the label ${label}: no ceiling here does, and a run is refused else`,
      ),
  ];
}

function wholeOf(flag: string, text: string): number {
  if (/^[1-9][0-9]{0,14}$/u.test(text)) return Number(text);
  throw new WritError('USAGE', `${flag} is ${JSON.stringify(text)}`, { hint: 'a whole number above 0' });
}

function classified(text: string | undefined): Pick<PolicyQuestion, 'classification'> {
  if (text === undefined) return {};
  const known = (['public', 'internal', 'confidential', 'restricted'] as const).find((one) => one === text);
  if (known !== undefined) return { classification: known };
  throw new WritError('USAGE', `there is no classification ${text}`, {
    hint: '--classification public, internal, confidential or restricted',
  });
}

function mountOf(text: string): { readonly path: string; readonly mode: 'ro' | 'rw' } {
  const [, path, mode] = /^(.+):(ro|rw)$/su.exec(text) ?? [];
  if (path !== undefined && (mode === 'ro' || mode === 'rw')) return { path, mode };
  throw new WritError('USAGE', `--mount is ${JSON.stringify(text)}`, { hint: 'PATH:ro or PATH:rw' });
}

function sandboxOf(text: string): 'wasm' | 'docker' | null {
  if (text === 'none') return null;
  if (text === 'wasm' || text === 'docker') return text;
  throw new WritError('USAGE', `there is no sandbox ${text}`, { hint: '--sandbox wasm, docker or none' });
}
