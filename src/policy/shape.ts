// JSON Schemas of the five file kinds and of a question (policy-and-ceilings sections 2 and 6) and one check for all of them.
// Unknown fields and values are problems, never ignored. The types below are what a checked document holds.
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import type { Json } from '../json.js';
import { pointerSegment } from './document.js';
import { quoted } from './text.js';

/** A problem of shape at a JSON pointer; `key` = the problem is that key itself. */
export interface ShapeProblem {
  readonly pointer: string;
  readonly key: boolean;
  readonly message: string;
  readonly hint?: string;
}

export interface RulesDocument {
  readonly rules: readonly {
    readonly id: string;
    readonly effect: 'allow' | 'deny';
    readonly subject: string;
    readonly domain: string;
    readonly action: string;
    readonly resource: string;
    readonly reason?: string;
  }[];
}

export interface RolesDocument {
  readonly domain: string;
  readonly members?: Readonly<Record<string, readonly string[]>>;
  readonly inherits?: Readonly<Record<string, readonly string[]>>;
}

export interface ApproversDocument {
  readonly people: readonly {
    readonly id: string;
    readonly keys: readonly string[];
    readonly osUser?: string;
    readonly iss?: string;
    readonly sub?: string;
    readonly assurance?: readonly ('key' | 'os' | 'oidc' | 'token')[];
  }[];
  readonly delegations?: readonly {
    readonly from: string;
    readonly to: string;
    readonly scope: { readonly roles: readonly string[]; readonly domains: readonly string[] };
    readonly notAfter: string;
  }[];
  readonly breakGlass?: { readonly role: string; readonly reviewWithinHours: number };
  readonly grants?: readonly {
    readonly id: string;
    readonly functions: readonly string[];
    readonly subjects: readonly string[];
    readonly domains: readonly string[];
    readonly notBefore: string;
    readonly notAfter: string;
    readonly reason: string;
  }[];
}

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
    readonly allowed?: readonly ('wasm' | 'docker')[];
    readonly profile?: Json;
    readonly require?: readonly string[];
  };
  readonly approval?: { readonly minimum?: ApprovalMode; readonly rules?: readonly ApprovalRuleSpec[] };
  readonly limits?: Readonly<Record<string, number>>;
  readonly clamp?: readonly string[];
  readonly rates?: Json;
  readonly budget?: BudgetSpec;
  readonly data?: { readonly labelsAllowed?: readonly string[]; readonly maxClassification?: string };
  readonly audit?: { readonly required?: 'none' | 'local' | 'anchored' };
  readonly validity?: { readonly notBefore?: string; readonly notAfter?: string };
}

/** policies/tests/*.yaml: questions, and what is to be said to each. */
export interface PolicyTestDocument {
  readonly cases: readonly {
    readonly name: string;
    readonly request: QuestionDocument & {
      readonly layers?: readonly { readonly layer: string; readonly name: string; readonly spec: Json }[];
    };
    readonly expect: 'allow' | 'deny' | 'needs_approval';
    /** A rule's id, or `layer-name:field` of a ceiling. */
    readonly by?: string;
  }[];
}

/** The approval that a question supposes the step's document to ask for; absent = as the document's default. */
export interface AskedApproval {
  readonly mode: ApprovalMode;
  readonly approverRoles?: readonly string[];
  readonly quorum?: number;
  readonly expiresSeconds?: number;
  readonly reasonRequired?: boolean;
  readonly separationOfDuties?: boolean;
}

/** A question without its layers, as question.ts reads it. */
export interface QuestionDocument {
  readonly initiator: string;
  readonly agent?: string;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
  readonly at?: string;
  readonly nowMs?: number;
  readonly sandbox?: 'wasm' | 'docker';
  readonly network?: readonly string[];
  readonly mounts?: readonly { readonly path: string; readonly mode: 'ro' | 'rw' }[];
  readonly credentials?: readonly string[];
  readonly tools?: readonly string[];
  readonly limits?: Readonly<Record<string, number>>;
  readonly labels?: readonly string[];
  readonly classification?: 'public' | 'internal' | 'confidential' | 'restricted';
  readonly agentSigners?: readonly string[];
  readonly estimate?: { readonly tokens?: number; readonly usd?: string };
  readonly approval?: AskedApproval;
}

export interface CeilingDocument {
  readonly metadata: { readonly name: string; readonly layer: 'org' | 'environment' | 'tenant' };
  readonly spec: CeilingSpec;
}

interface Shapes {
  readonly Rules: RulesDocument;
  readonly Roles: RolesDocument;
  readonly Approvers: ApproversDocument;
  readonly Ceiling: CeilingDocument;
  readonly CeilingSpec: CeilingSpec;
  readonly Question: QuestionDocument;
  readonly PolicyTest: PolicyTestDocument;
}

// --- schemas: `description` is what a value must be, used in messages -----------------------------------------

const text = (pattern: string, description: string) => ({ type: 'string', pattern, description });
const list = (items: object, maxItems = 10_000) => ({ type: 'array', items, uniqueItems: true, maxItems });
const object = (properties: Record<string, object>, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});
const header = (kind: string) => ({ apiVersion: { const: 'writ/v1' }, kind: { const: kind } });
const integer = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum });
const oneOf = (...values: readonly string[]) => ({ enum: values });

const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';
const name = text(NAME_PATTERN, 'a name of letters, digits, dot, dash and underscore');
const principal = text('^(?:user|agent|service):[^\\s*?]{1,256}$', 'user:NAME, agent:NAME or service:NAME');
const user = text('^user:[^\\s*?]{1,256}$', 'user:NAME');
const role = text('^role:[A-Za-z0-9][A-Za-z0-9._-]{0,127}$', 'role:NAME');
const subject = text(
  `${principal.pattern}|${role.pattern}`,
  'role:NAME, user:NAME, agent:NAME or service:NAME',
);
const domain = text(NAME_PATTERN, 'a tenant id of letters, digits, dot, dash and underscore');
const pattern = { type: 'string', minLength: 1, maxLength: 1024 };
const label = text('^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', 'a label');
const sandboxKind = oneOf('wasm', 'docker');
const host = text(
  '^(?:(?:\\*\\.)?[a-z0-9_-]+(?:\\.[a-z0-9_-]+)*|\\[[0-9a-f:.]+\\]):(?:[0-9]{1,5}|\\*)$',
  'host:port or *.suffix:port in lower case (port may be *)',
);
const path = text(
  '^/$|^(?:/(?!\\.{1,2}(?:/|$))[^/]+)+$',
  'an absolute path without empty, . or .. segments and without a final slash',
);
const moment = text('^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$', 'a time such as 2026-01-31T00:00:00Z');
const names = { allow: list(pattern), deny: list(pattern) };
const hosts = { allow: list(host), deny: list(host) };

const budgets = {
  usd: text('^[0-9]{1,12}(?:\\.[0-9]{1,6})?$', 'a decimal string'),
  tokens: integer(0, Number.MAX_SAFE_INTEGER),
  calls: integer(0, Number.MAX_SAFE_INTEGER),
  wallClockMs: integer(0, Number.MAX_SAFE_INTEGER),
};

const roleMap = (items: object) => ({
  type: 'object',
  propertyNames: role,
  additionalProperties: list(items, 100_000),
});

const ceilingSpec = object({
  functions: object(names),
  tools: object(names),
  skills: object(names),
  mcp: object(names),
  memory: object(names),
  agents: object({ ...names, requireDigest: { type: 'boolean' }, requireSigners: list(pattern) }),
  delegation: object({ ...names, maxDepth: integer(0, 100), maxAgents: integer(0, 10_000) }),
  network: object({ mode: oneOf('none', 'allowlist', 'open'), ...hosts }),
  mounts: object({ allow: list(object({ path, mode: oneOf('ro', 'rw') }, ['path', 'mode'])) }, ['allow']),
  credentials: object({ mode: oneOf('none', 'broker', 'inherit'), ...names }),
  sandbox: object({
    allowed: list(sandboxKind),
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
            functions: list(pattern),
            agents: list(pattern),
            labels: list(label),
            sandbox: list(sandboxKind),
            credentials: list(pattern),
            network: list(host),
            costUsdAbove: text('^[0-9]{1,12}(?:\\.[0-9]{1,6})?$', 'a decimal string'),
          }),
          minimum: oneOf('async', 'sync', 'two-person'),
          approverRoles: { ...list(role, 20), minItems: 1 },
          quorum: integer(1, 20),
          separationOfDuties: { type: 'boolean' },
          expiresSeconds: integer(1, 30 * 86_400),
          reasonRequired: { type: 'boolean' },
          escalation: list(
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
      'fanoutWidth',
      'loopIterations',
      'retries',
      'depth',
    ),
  ),
  rates: list(
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

// Names stay as loose as a caller may write them: `decide` judges them, and denies what is none.
const anyText = { type: 'string', maxLength: 4096 };
const question = {
  initiator: anyText,
  agent: anyText,
  domain: anyText,
  action: anyText,
  resource: anyText,
  at: moment,
  nowMs: integer(0, Number.MAX_SAFE_INTEGER),
  sandbox: sandboxKind,
  network: list(anyText, 1000),
  mounts: list(object({ path: anyText, mode: oneOf('ro', 'rw') }, ['path', 'mode']), 1000),
  credentials: list(anyText, 1000),
  tools: list(anyText, 1000),
  limits: { type: 'object', additionalProperties: { type: 'number' } },
  labels: list(anyText, 1000),
  classification: oneOf('public', 'internal', 'confidential', 'restricted'),
  agentSigners: list(anyText, 100),
  estimate: object({ tokens: budgets.tokens, usd: budgets.usd }),
  approval: object(
    {
      mode: oneOf('none', 'async', 'sync', 'two-person'),
      approverRoles: list(role, 20),
      quorum: integer(1, 20),
      expiresSeconds: integer(1, 30 * 86_400),
      reasonRequired: { type: 'boolean' },
      separationOfDuties: { type: 'boolean' },
    },
    ['mode'],
  ),
};
const ASKED = ['initiator', 'domain', 'action', 'resource'] as const;

/** For the test that checks them; nothing else needs them. */
export const SCHEMAS: Record<keyof Shapes, object> = {
  Rules: object(
    {
      ...header('Rules'),
      rules: {
        type: 'array',
        minItems: 1,
        maxItems: 100_000,
        items: object(
          {
            id: text(
              '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
              'an id of letters, digits, dot, dash and underscore',
            ),
            effect: oneOf('allow', 'deny'),
            subject,
            domain: text(`^\\*$|${NAME_PATTERN}`, 'a tenant id or *'),
            action: { type: 'string', minLength: 1 },
            resource: pattern,
            reason: { type: 'string' },
          },
          ['id', 'effect', 'subject', 'domain', 'action', 'resource'],
        ),
      },
    },
    ['apiVersion', 'kind', 'rules'],
  ),
  Roles: object({ ...header('Roles'), domain, members: roleMap(principal), inherits: roleMap(role) }, [
    'apiVersion',
    'kind',
    'domain',
  ]),
  Approvers: object(
    {
      ...header('Approvers'),
      people: {
        type: 'array',
        maxItems: 10_000,
        items: object(
          {
            id: user,
            // 32 raw bytes: the last character before the padding carries two zero bits.
            keys: list(
              text(
                '^ed25519:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$',
                'ed25519: and the canonical base64 of the 32 raw bytes of a public key',
              ),
              100,
            ),
            osUser: text('^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$', 'the name of an operating system account'),
            iss: { type: 'string', pattern: '^https://[!-~]{1,500}$', description: 'an https URL' },
            sub: {
              type: 'string',
              pattern: '^[!-~]{1,255}$',
              description: '1 to 255 visible ASCII characters',
            },
            assurance: { ...list(oneOf('key', 'os', 'oidc', 'token')), minItems: 1 },
          },
          ['id', 'keys'],
        ),
      },
      delegations: list(
        object(
          {
            from: user,
            to: user,
            scope: object(
              { roles: { ...list(role, 100), minItems: 1 }, domains: { ...list(domain, 100), minItems: 1 } },
              ['roles', 'domains'],
            ),
            notAfter: moment,
          },
          ['from', 'to', 'scope', 'notAfter'],
        ),
        1000,
      ),
      breakGlass: object({ role, reviewWithinHours: integer(1, 720) }, ['role', 'reviewWithinHours']),
      grants: list(
        object(
          {
            id: name,
            functions: { ...list(pattern, 100), minItems: 1 },
            subjects: { ...list({ anyOf: [principal, role] }, 100), minItems: 1 },
            domains: { ...list(domain, 100), minItems: 1 },
            notBefore: moment,
            notAfter: moment,
            reason: { type: 'string', minLength: 1, maxLength: 2000 },
          },
          ['id', 'functions', 'subjects', 'domains', 'notBefore', 'notAfter', 'reason'],
        ),
        1000,
      ),
    },
    ['apiVersion', 'kind', 'people'],
  ),
  Ceiling: object(
    {
      ...header('Ceiling'),
      metadata: object({ name, layer: oneOf('org', 'environment', 'tenant') }, ['name', 'layer']),
      spec: ceilingSpec,
    },
    ['apiVersion', 'kind', 'metadata', 'spec'],
  ),
  CeilingSpec: ceilingSpec,
  Question: object(question, ASKED),
  PolicyTest: object(
    {
      ...header('PolicyTest'),
      cases: {
        type: 'array',
        minItems: 1,
        maxItems: 10_000,
        items: object(
          {
            name: { type: 'string', minLength: 1, maxLength: 200 },
            request: object(
              {
                ...question,
                layers: list(
                  object(
                    { layer: oneOf('workflow', 'agent', 'parent', 'step'), name: anyText, spec: ceilingSpec },
                    ['layer', 'name', 'spec'],
                  ),
                  10,
                ),
              },
              ASKED,
            ),
            expect: oneOf('allow', 'deny', 'needs_approval'),
            by: { type: 'string', minLength: 1, maxLength: 200 },
          },
          ['name', 'request', 'expect'],
        ),
      },
    },
    ['apiVersion', 'kind', 'cases'],
  ),
};

// --- check ----------------------------------------------------------------------------------------------------

// The schemas above are ours: a test compiles them with every check of ajv, so that loading need not.
const ajv = new Ajv2020({
  ...{ allErrors: true, verbose: true, ownProperties: true },
  ...{ strict: false, validateSchema: false, addUsedSchema: false },
});
const compiled = new Map<string, ValidateFunction>();

/** The typed document, or every problem of its shape. */
export function checkShape<K extends keyof Shapes>(
  kind: K,
  value: Json,
):
  | { readonly ok: true; readonly document: Shapes[K] }
  | { readonly ok: false; readonly problems: ShapeProblem[] } {
  const validate = (compiled.get(kind) ?? ajv.compile(SCHEMAS[kind])) as ValidateFunction<Shapes[K]>;
  compiled.set(kind, validate);
  if (validate(value)) return { ok: true, document: value };
  return { ok: false, problems: (validate.errors ?? []).flatMap(explain) };
}

function explain(error: ErrorObject): ShapeProblem[] {
  // An error inside a key's own schema; `propertyNames` tells it with the key's place.
  if (error.propertyName !== undefined) return [];
  const at = (message: string, hint?: string, key?: string): ShapeProblem[] => [
    {
      pointer: error.instancePath + (key === undefined ? '' : pointerSegment(key)),
      key: key !== undefined,
      message,
      ...(hint === undefined ? {} : { hint }),
    },
  ];
  const params = error.params as Readonly<Record<string, unknown>>;
  const schema = error.parentSchema ?? {};
  const field = error.instancePath.split('/').at(-1) ?? '';
  const subjectOf =
    field === '' ? 'document' : /^\d+$/.test(field) ? `item ${Number(field) + 1}` : `"${field}"`;
  const shown = quoted(error.data);
  switch (error.keyword) {
    case 'additionalProperties': {
      const known = Object.keys((schema['properties'] as object | undefined) ?? {});
      const key = String(params['additionalProperty']);
      return at(`unknown field "${key}"`, `known here: ${known.join(', ')}`, key);
    }
    case 'required':
      return at(`field "${String(params['missingProperty'])}" is missing`);
    case 'enum':
      return at(
        `${subjectOf} must be exactly one of ${(params['allowedValues'] as string[]).join(', ')}, not ${shown}`,
      );
    case 'const':
      return at(`${subjectOf} must be "${String(params['allowedValue'])}", not ${shown}`);
    case 'pattern':
      return at(`${subjectOf} must be ${String(schema['description'])}, not ${shown}`);
    case 'propertyNames':
      return at(
        `key "${String(params['propertyName'])}" is not allowed here`,
        'role names look like role:NAME',
        String(params['propertyName']),
      );
    case 'type':
      return at(`${subjectOf} must be of type ${String(params['type'])}, not ${shown}`);
    default:
      return at(`${subjectOf} ${error.message ?? 'is not allowed'}`);
  }
}
