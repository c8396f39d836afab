// `spec` of a ceiling document as it is written: its schema and what a checked one holds.
import type { Json } from '../../json.js';
import {
  fits,
  host,
  integer,
  label,
  list,
  moment,
  object,
  oneOf,
  path,
  pattern,
  role,
  rows,
  runPlace,
  sandboxKind,
  text,
  name,
} from '../file/schema-parts.js';

export interface NameSpec {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export type ApprovalMode = 'none' | 'async' | 'sync' | 'two-person';

export interface ApprovalRuleSpec {
  readonly match: {
    readonly functions?: readonly string[];
    readonly agents?: readonly string[];
    readonly labels?: readonly string[];
    readonly sandbox?: readonly ('wasm' | 'docker')[];
    readonly credentials?: readonly string[];
    readonly network?: readonly string[];
    readonly costUsdAbove?: string;
  };
  readonly minimum: Exclude<ApprovalMode, 'none'>;
  readonly approverRoles?: readonly string[];
  readonly quorum?: number;
  readonly separationOfDuties?: boolean;
  /** true: who wrote the workflow may not approve. */
  readonly author?: boolean;
  readonly expiresSeconds?: number;
  readonly reasonRequired?: boolean;
  readonly escalation?: readonly {
    readonly afterSeconds: number;
    readonly notifyRoles?: readonly string[];
    readonly addRoles?: readonly string[];
  }[];
}

export interface BudgetSpec {
  /** A decimal: dollars. */
  readonly usd?: string;
  readonly tokens?: number;
  readonly calls?: number;
  readonly wallClockMs?: number;
  readonly perDay?: Omit<BudgetSpec, 'perDay'>;
}

/** So many calls of what `match` names in so many seconds. */
export interface RateSpec {
  readonly match: string;
  readonly count: number;
  readonly perSeconds: number;
}

/** `spec` of a ceiling document as written; absent = no restriction. */
export interface CeilingSpec {
  readonly functions?: NameSpec;
  readonly tools?: NameSpec;
  readonly skills?: NameSpec;
  readonly mcp?: NameSpec;
  readonly memory?: NameSpec;
  readonly agents?: NameSpec & {
    readonly requireDigest?: boolean;
    readonly requireSigners?: readonly string[];
  };
  readonly delegation?: NameSpec & { readonly maxDepth?: number; readonly maxAgents?: number };
  readonly network?: NameSpec & { readonly mode?: 'none' | 'allowlist' | 'open' };
  readonly mounts?: { readonly allow: readonly { readonly path: string; readonly mode: 'ro' | 'rw' }[] };
  readonly credentials?: NameSpec & { readonly mode?: 'none' | 'broker' | 'inherit' };
  readonly sandbox?: {
    readonly allowed?: readonly ('wasm' | 'docker' | 'none')[];
    readonly profile?: Json;
    readonly require?: readonly string[];
  };
  readonly approval?: { readonly minimum?: ApprovalMode; readonly rules?: readonly ApprovalRuleSpec[] };
  readonly limits?: Readonly<Record<string, number>>;
  readonly clamp?: readonly string[];
  readonly rates?: readonly RateSpec[];
  readonly budget?: BudgetSpec;
  readonly data?: { readonly labelsAllowed?: readonly string[]; readonly maxClassification?: string };
  readonly audit?: { readonly required?: 'none' | 'local' | 'anchored' };
  readonly validity?: { readonly notBefore?: string; readonly notAfter?: string };
}

export interface CeilingDocument {
  readonly metadata: { readonly name: string; readonly layer: 'org' | 'environment' | 'tenant' };
  readonly spec: CeilingSpec;
}

// --- schema ---------------------------------------------------------------------------------------------------

/** Parts that stand in a ceiling many times: compiled once, which is most of what compiling it takes. */
export const ceilingParts = {
  Patterns: list(pattern),
  Hosts: list(host),
  Whole: integer(0, Number.MAX_SAFE_INTEGER),
};
const patterns = fits('Patterns');
const names = { allow: patterns, deny: patterns };
const hosts = { allow: fits('Hosts'), deny: fits('Hosts') };

/** Fields of a budget for one period. */
export const budgets = {
  usd: text('^[0-9]{1,12}(?:\\.[0-9]{1,6})?$', 'a decimal string'),
  tokens: fits('Whole'),
  calls: fits('Whole'),
  wallClockMs: fits('Whole'),
};

/** JSON Schema of `CeilingSpec`. */
export const ceilingSpec = object({
  functions: object(names),
  tools: object(names),
  skills: object(names),
  mcp: object(names),
  memory: object(names),
  agents: object({ ...names, requireDigest: { type: 'boolean' }, requireSigners: patterns }),
  delegation: object({ ...names, maxDepth: integer(0, 100), maxAgents: integer(0, 10_000) }),
  network: object({ mode: oneOf('none', 'allowlist', 'open'), ...hosts }),
  mounts: object({ allow: rows(object({ path, mode: oneOf('ro', 'rw') }, ['path', 'mode'])) }, ['allow']),
  credentials: object({ mode: oneOf('none', 'broker', 'inherit'), ...names }),
  sandbox: object({
    allowed: list(runPlace),
    profile: { type: 'object', propertyNames: sandboxKind, additionalProperties: name },
    require: list(text('^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$', 'a name such as nonRoot or runtime:runsc')),
  }),
  approval: object({
    minimum: oneOf('none', 'async', 'sync', 'two-person'),
    rules: {
      type: 'array',
      maxItems: 1000,
      items: object(
        {
          match: object({
            functions: patterns,
            agents: patterns,
            labels: list(label),
            sandbox: list(sandboxKind),
            credentials: patterns,
            network: fits('Hosts'),
            costUsdAbove: text('^[0-9]{1,12}(?:\\.[0-9]{1,6})?$', 'a decimal string'),
          }),
          minimum: oneOf('async', 'sync', 'two-person'),
          approverRoles: { ...list(role, 20), minItems: 1 },
          quorum: integer(1, 20),
          separationOfDuties: { type: 'boolean' },
          author: { type: 'boolean' },
          expiresSeconds: integer(1, 30 * 86_400),
          reasonRequired: { type: 'boolean' },
          escalation: rows(
            object(
              {
                afterSeconds: integer(1, 30 * 86_400),
                notifyRoles: { ...list(role, 20), minItems: 1 },
                addRoles: { ...list(role, 20), minItems: 1 },
              },
              ['afterSeconds'],
            ),
            10,
          ),
        },
        ['match', 'minimum'],
      ),
    },
  }),
  limits: object({
    timeoutMs: integer(1, 86_400_000),
    memoryMiB: integer(1, 1_048_576),
    cpus: { type: 'number', exclusiveMinimum: 0, maximum: 1024 },
    pids: integer(1, 1_000_000),
    outputBytes: integer(1, 1_073_741_824),
    egressBytes: integer(1, 17_179_869_184),
    egressRequests: integer(1, 1_000_000),
    fanoutWidth: integer(1, 100_000),
    loopIterations: integer(1, 1_000_000),
    retries: integer(0, 99_999_999),
    depth: integer(1, 1000),
  }),
  clamp: list(
    oneOf(
      'timeoutMs',
      'memoryMiB',
      'cpus',
      'pids',
      'outputBytes',
      'egressBytes',
      'egressRequests',
      'fanoutWidth',
      'loopIterations',
      'retries',
      'depth',
    ),
  ),
  rates: rows(
    object({ match: pattern, count: integer(0, 1_000_000_000), perSeconds: integer(1, 31_536_000) }, [
      'match',
      'count',
      'perSeconds',
    ]),
  ),
  budget: object({ ...budgets, perDay: object(budgets) }),
  data: object({
    labelsAllowed: list(label),
    maxClassification: oneOf('public', 'internal', 'confidential', 'restricted'),
  }),
  audit: object({ required: oneOf('none', 'local', 'anchored') }),
  validity: object({ notBefore: moment, notAfter: moment }),
});
