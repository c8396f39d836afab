// The closed list of actions and the form of the resource each is asked with. A rule whose resource can't have
// that form would never match, which an operator would take for protection: it is refused at load.
import { nearest } from '../../nearest.js';
import { hasWildcard, literalPrefix, literalSuffix } from './glob.js';

interface ResourceForm {
  readonly what: string;
  readonly value: RegExp;
  /** What the text before a pattern's first wildcard may look like. */
  readonly prefix: RegExp;
  /** What any text between two wildcards may look like. */
  readonly inside: RegExp;
  /** Beginnings: any end of a value is the end of one that begins so. For the text after a pattern's last wildcard. */
  readonly heads: (tail: string) => readonly string[];
}

const NAME: ResourceForm = {
  what: 'a name',
  value: /^[^\s]+$/u,
  prefix: /^[^\s]*$/u,
  inside: /^[^\s]*$/u,
  heads: () => ['x'],
};
const WORKFLOW: ResourceForm = {
  what: 'a workflow id',
  value: /^[A-Za-z0-9_.:-]+$/,
  prefix: /^[A-Za-z0-9_.:-]*$/,
  inside: /^[A-Za-z0-9_.:-]*$/,
  heads: () => ['x'],
};
const FUNCTION: ResourceForm = {
  what: 'a function id such as tool::wasm',
  value: /^[A-Za-z0-9_.-]+::[A-Za-z0-9_.:/-]+$/,
  prefix: /^[A-Za-z0-9_.-]*(?::(?::[A-Za-z0-9_.:/-]*)?)?$/,
  inside: /^[A-Za-z0-9_.:/-]*$/,
  heads: () => ['x::x'],
};
const PACKAGE: ResourceForm = {
  what: 'an agent package <repository>@sha256:<64 hex>',
  value: /^(?!.*::)[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}$/,
  prefix: /^(?!.*::)[a-z0-9._/:-]*(?:@[a-z0-9:]*)?$/,
  inside: /^(?!.*::)[a-z0-9._/:-]*(?:@[a-z0-9:]*)?$/,
  // The end begins in the repository, in `@sha256:`, or among the digits.
  heads: (tail) => [
    ...Array.from('x@sha256:', (_, at) => 'x@sha256:'.slice(0, at + 1)),
    `x@sha256:${'0'.repeat(Math.max(0, 64 - tail.length))}`,
  ],
};
const DECIDABLE: ResourceForm = {
  what: `${FUNCTION.what} or ${PACKAGE.what}`,
  value: new RegExp(`${FUNCTION.value.source}|${PACKAGE.value.source}`),
  prefix: new RegExp(`${FUNCTION.prefix.source}|${PACKAGE.prefix.source}`),
  inside: new RegExp(`${FUNCTION.inside.source}|${PACKAGE.inside.source}`),
  heads: (tail) => [...FUNCTION.heads(tail), ...PACKAGE.heads(tail)],
};
const HOST: ResourceForm = {
  what: 'host:port in lower case without a trailing dot',
  value: /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4}$/,
  prefix: /^[a-z0-9_.:[\]-]*$/,
  inside: /^[a-z0-9_.:[\]-]*$/,
  heads: () => ['', 'x', '[0', 'x:', 'x:4'],
};
const PATH: ResourceForm = {
  what: 'an absolute path without empty, . or .. segments',
  value: /^\/$|^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/u,
  prefix: /^(?:$|(?:\/(?!\.{1,2}\/)[^/]+)*\/?[^/]*$)/u,
  inside: /^(?!.*\/(?:\.{0,2})\/)/u,
  heads: () => ['/x', '/', ''],
};
// A key may hold blanks, so a pattern for one may too; a bucket and a / alone stand for the list of what is in it.
const ARTIFACT: ResourceForm = {
  what: 'an artifact <bucket>/<key> without . or .. segments, or sha256:<64 hex>',
  value: /^sha256:[0-9a-f]{64}$|^(?!.*\/\.{1,2}(?:\/|$))[A-Za-z0-9][A-Za-z0-9._-]{0,62}\/[^\\]*$/u,
  prefix: /^(?:sha256(?::[0-9a-f]*)?|[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?:\/[^\\]*)?)?$/u,
  inside: /^(?!.*\/\.{1,2}\/)[^\\]*$/u,
  heads: () => ['b/k'],
};

const FORMS = {
  'workflow.create': WORKFLOW,
  'workflow.run': WORKFLOW,
  'run.cancel': WORKFLOW,
  'run.resume': WORKFLOW,
  'function.invoke': FUNCTION,
  'agent.invoke': PACKAGE,
  'agent.delegate': NAME,
  'tool.invoke': NAME,
  'skill.invoke': NAME,
  'mcp.request': NAME,
  'network.egress': HOST,
  'filesystem.read': PATH,
  'filesystem.write': PATH,
  'memory.read': NAME,
  'memory.write': NAME,
  'secret.use': NAME,
  'artifact.read': ARTIFACT,
  'artifact.write': ARTIFACT,
  'approval.decide': DECIDABLE,
  'approval.breakglass': DECIDABLE,
  'task.answer': FUNCTION,
  'audit.read': NAME,
  'audit.export': NAME,
  'audit.erase': NAME,
  'audit.rotate_key': NAME,
  'policy.read': NAME,
  'policy.edit': NAME,
  'policy.reload': NAME,
} as const satisfies Record<string, ResourceForm>;

/** What may be asked. */
export type Action = keyof typeof FORMS;

export const ACTIONS: readonly string[] = Object.keys(FORMS);
/** For whoever asks about an action that there is not. */
export function actionsHint(action: unknown): string {
  const meant = typeof action === 'string' ? nearest(action, ACTIONS) : undefined;
  return meant ?? `actions are ${ACTIONS.join(', ')}`;
}

export function isAction(text: unknown): text is Action {
  return typeof text === 'string' && Object.hasOwn(FORMS, text);
}

/** Why a request can't name `resource` under `action`, or null. */
export function resourceProblem(action: Action, resource: string): string | null {
  const form: ResourceForm = FORMS[action];
  if (!form.value.test(resource)) return `"${resource}" is not ${form.what}, as ${action} needs`;
  return action === 'network.egress' ? addressProblem(resource) : null;
}

/** An address has many spellings (`0x7f.1`, `[0:0::1]`), and a deny names one: only the usual one can be asked for. */
export function addressProblem(hostAndPort: string): string | null {
  const colon = hostAndPort.lastIndexOf(':');
  const url = `http://${hostAndPort.slice(0, colon)}/`;
  const usual = URL.canParse(url) ? withoutMapping(new URL(url).hostname) : null;
  if (usual === hostAndPort.slice(0, colon) && Number(hostAndPort.slice(colon + 1)) <= 65_535) return null;
  return `"${hostAndPort}" is not written as addresses usually are${usual === null ? '' : `: ${usual}`}`;
}

/** An IPv4 address inside an IPv6 one (RFC 4291, 2.5.5.2) leads to the same place: it is written as what it is. */
function withoutMapping(hostname: string): string {
  const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (mapped === null) return hostname;
  const [high, low] = mapped.slice(1).map((part) => Number.parseInt(part, 16));
  return [high, low].flatMap((part = 0) => [part >> 8, part & 255]).join('.');
}

/** Why no resource of `action` could ever match `pattern`, or null. `*` as action: any resource is possible. */
export function unmatchable(action: Action | '*', pattern: string): string | null {
  if (action === '*') return null;
  const form: ResourceForm = FORMS[action];
  if (!hasWildcard(pattern)) {
    const problem = resourceProblem(action, pattern);
    return problem === null ? null : `can never match: ${problem}`;
  }
  const isPossible =
    form.prefix.test(literalPrefix(pattern)) &&
    (endsOpen(pattern) || (hasInside(form, pattern) && hasTail(form, literalSuffix(pattern))));
  return isPossible
    ? null
    : `can never match: no resource of ${action} is like "${pattern}": it is ${form.what}`;
}

/** Why no package could be called by `pattern`, with its digest or without, or null. Ceilings name packages by both. */
export function packagePatternProblem(pattern: string): string | null {
  const tail = literalSuffix(pattern);
  const isPossible = hasWildcard(pattern)
    ? PACKAGE.prefix.test(literalPrefix(pattern)) &&
      isRepository(literalPrefix(pattern)) &&
      hasInside(PACKAGE, pattern) &&
      ((/^(?!.*::)[a-z0-9._/:-]*$/.test(tail) && isRepository(tail)) || hasTail(PACKAGE, tail))
    : isRepository(pattern) && (/^[a-z0-9][a-z0-9._/:-]*$/.test(pattern) || PACKAGE.value.test(pattern));
  return isPossible ? null : `can never match: "${pattern}" is neither <repository> nor ${PACKAGE.what}`;
}

/** A colon comes before a port only: a reference with a tag is called by nobody. */
function isRepository(text: string): boolean {
  return /^(?:[^:@]|:[0-9]{0,5}(?=\/|$))*(?:@.*)?$/.test(text);
}

/** One `*`, at the end: whatever may begin so may go on. */
function endsOpen(pattern: string): boolean {
  return literalPrefix(pattern).length === pattern.length - 1 && pattern.endsWith('*');
}

function hasInside({ inside }: ResourceForm, pattern: string): boolean {
  return pattern
    .split(/[*?]/)
    .slice(1, -1)
    .every((text) => inside.test(text));
}

function hasTail({ value, heads }: ResourceForm, tail: string): boolean {
  return heads(tail).some((head) => value.test(head + tail));
}

/**
 * Whether a step does it, so that its sandbox, data, cost and approval are judged. The others are what people and the
 * runner do around a run: they have none of these, and RBAC alone decides.
 */
export function isStepAct(action: Action): boolean {
  return !/^(?:workflow|run|artifact|approval|task|audit|policy)\./.test(action);
}
