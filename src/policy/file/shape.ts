// JSON Schemas of the six file kinds and of a question and one check for all of them.
// Unknown fields and values are problems, never ignored. The types below are what a checked document holds.
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import type { Json } from '../../json.js';
import { nearest } from '../../nearest.js';
import { pointerSegment } from './document.js';
import { ceilingParts, ceilingSpec, type CeilingDocument, type CeilingSpec } from '../ceiling/shape.js';
import {
  policyTestSchema,
  questionSchema,
  type PolicyTestDocument,
  type QuestionDocument,
} from '../question/shape.js';
import {
  domain,
  fits,
  header,
  integer,
  list,
  moment,
  name,
  NAME_PATTERN,
  object,
  oneOf,
  pattern,
  principal,
  role,
  rows,
  subject,
  text,
  user,
} from './schema-parts.js';
import { validatorOf } from './shape-validator.js';
import { quoted } from './text.js';

/** A problem of shape at a JSON pointer; `key` = the problem is that key itself. */
export interface ShapeProblem {
  readonly pointer: string;
  readonly key: boolean;
  readonly message: string;
  readonly hint?: string;
}

/** Of a document that is refused: never none, for what is refused without a word would be as if it were not there. */
export type ShapeProblems = readonly [ShapeProblem, ...ShapeProblem[]];

export interface RuleRow {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly subject: string;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
  readonly reason?: string;
}

export interface RulesDocument {
  /** null: a row of the wrong shape, in a directory that is refused for it. */
  readonly rules: readonly (RuleRow | null)[];
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

export interface PackageSignersDocument {
  readonly signers: readonly { readonly name: string; readonly key: string }[];
}

export interface Shapes {
  readonly Rules: RulesDocument;
  readonly Roles: RolesDocument;
  readonly Approvers: ApproversDocument;
  readonly PackageSigners: PackageSignersDocument;
  readonly Ceiling: CeilingDocument;
  readonly CeilingSpec: CeilingSpec;
  readonly Question: QuestionDocument;
  readonly PolicyTest: PolicyTestDocument;
}

// --- schemas: `description` is what a value must be, used in messages -----------------------------------------

const roleMap = (items: object) => ({
  type: 'object',
  propertyNames: role,
  additionalProperties: list(items, 100_000),
});

/** For the test that checks them and the bundle that has them compiled; nothing else needs them. */
export const SCHEMAS: Record<keyof Shapes | keyof typeof ceilingParts, object> = {
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
            // rule.ts says what they may be.
            action: { type: 'string' },
            resource: { type: 'string' },
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
      delegations: rows(
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
      grants: rows(
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
  PackageSigners: object(
    {
      ...header('PackageSigners'),
      signers: rows(
        object(
          {
            name: text(
              '^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$',
              'a name of letters, digits, dot, dash, underscore, colon, at and slash',
            ),
            // DER up to the key itself is always the same; the last character before the padding carries zero bits.
            key: text(
              '^MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9+/]{85}[AQgw]==$|^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$',
              'the base64 of an ECDSA P-256 or Ed25519 public key, as between the lines of a cosign.pub, on one line',
            ),
          },
          ['name', 'key'],
        ),
        1000,
      ),
    },
    ['apiVersion', 'kind', 'signers'],
  ),
  Ceiling: object(
    {
      ...header('Ceiling'),
      metadata: object({ name, layer: oneOf('org', 'environment', 'tenant') }, ['name', 'layer']),
      spec: fits('CeilingSpec'),
    },
    ['apiVersion', 'kind', 'metadata', 'spec'],
  ),
  CeilingSpec: ceilingSpec,
  ...ceilingParts,
  Question: questionSchema,
  PolicyTest: policyTestSchema,
};

// --- check ----------------------------------------------------------------------------------------------------

/** The typed document, or every problem of its shape. */
export function checkShape<K extends keyof Shapes>(
  kind: K,
  value: Json,
):
  | { readonly ok: true; readonly document: Shapes[K] }
  | { readonly ok: false; readonly problems: ShapeProblems } {
  const validate = validatorOf(kind, SCHEMAS) as ValidateFunction<Shapes[K]>;
  if (validate(value)) return { ok: true, document: value };
  const [first, ...more] = (validate.errors ?? []).slice(0, MAX_EXPLAINED).flatMap(explain);
  const unexplained = { pointer: '', key: false, message: `document is no ${kind}` };
  return { ok: false, problems: [first ?? unexplained, ...more] };
}

/** As many as are reported of a whole directory. */
const MAX_EXPLAINED = 200;

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
  // Written only where it is shown: an object with a thousand unknown fields is in a thousand errors.
  const shown = (): string => quoted(error.data);
  switch (error.keyword) {
    case 'additionalProperties': {
      const known = Object.keys((schema['properties'] as object | undefined) ?? {});
      const key = String(params['additionalProperty']);
      return at(`unknown field "${key}"`, nearest(key, known) ?? `known here: ${known.join(', ')}`, key);
    }
    case 'required':
      return at(`field "${String(params['missingProperty'])}" is missing`);
    case 'enum': {
      const allowed = params['allowedValues'] as string[];
      const hint = typeof error.data === 'string' ? nearest(error.data, allowed) : undefined;
      return at(`${subjectOf} must be exactly one of ${allowed.join(', ')}, not ${shown()}`, hint);
    }
    case 'const':
      return at(`${subjectOf} must be "${String(params['allowedValue'])}", not ${shown()}`);
    case 'pattern':
      return at(`${subjectOf} must be ${String(schema['description'])}, not ${shown()}`);
    case 'propertyNames':
      return at(
        `key "${String(params['propertyName'])}" is not allowed here`,
        'role names look like role:NAME',
        String(params['propertyName']),
      );
    case 'type':
      return at(
        `${subjectOf} must be of type ${String(params['type'])}, not ${shown()}`,
        params['type'] === 'string' && (typeof error.data === 'number' || typeof error.data === 'boolean')
          ? `write it in quotes: "${String(error.data)}"`
          : params['type'] === 'boolean'
            ? 'write true or false'
            : undefined,
      );
    case 'minItems':
      return at(`${subjectOf} is empty: it needs an item`);
    default:
      return at(`${subjectOf} ${error.message ?? 'is not allowed'}`);
  }
}
