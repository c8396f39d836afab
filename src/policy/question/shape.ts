// A question to policy as people and programs write it, and the tests that are made of questions: schemas and types.
import type { Json } from '../../json.js';
import { budgets, type ApprovalMode } from '../ceiling/shape.js';
import {
  fits,
  header,
  integer,
  list,
  moment,
  object,
  oneOf,
  role,
  rows,
  sandboxKind,
} from '../file/schema-parts.js';

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
  readonly author?: boolean;
}

/** A question without its layers, as question.ts reads it. */
export interface QuestionDocument {
  readonly initiator: string;
  readonly agent?: string;
  /** Who wrote the workflow; absent = nobody who could decide. */
  readonly author?: string;
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
  readonly delegation?: { readonly depth: number; readonly agents: number };
  readonly estimate?: { readonly tokens?: number; readonly usd?: string };
  readonly approval?: AskedApproval;
}

// --- schemas --------------------------------------------------------------------------------------------------

// Names stay as loose as a caller may write them: `decide` judges them, and denies what is none.
const anyText = { type: 'string', maxLength: 4096 };
const question = {
  initiator: anyText,
  agent: anyText,
  author: anyText,
  domain: anyText,
  action: anyText,
  resource: anyText,
  at: moment,
  nowMs: integer(0, Number.MAX_SAFE_INTEGER),
  sandbox: sandboxKind,
  network: list(anyText, 1000),
  mounts: rows(object({ path: anyText, mode: oneOf('ro', 'rw') }, ['path', 'mode']), 1000),
  credentials: list(anyText, 1000),
  tools: list(anyText, 1000),
  limits: { type: 'object', additionalProperties: { type: 'number' } },
  labels: list(anyText, 1000),
  classification: oneOf('public', 'internal', 'confidential', 'restricted'),
  agentSigners: list(anyText, 100),
  delegation: object({ depth: integer(1, 1_000_000), agents: integer(1, 1_000_000) }, ['depth', 'agents']),
  estimate: object({ tokens: budgets.tokens, usd: budgets.usd }),
  approval: object(
    {
      mode: oneOf('none', 'async', 'sync', 'two-person'),
      approverRoles: list(role, 20),
      quorum: integer(1, 20),
      expiresSeconds: integer(1, 30 * 86_400),
      reasonRequired: { type: 'boolean' },
      separationOfDuties: { type: 'boolean' },
      author: { type: 'boolean' },
    },
    ['mode'],
  ),
};
const ASKED = ['initiator', 'domain', 'action', 'resource'] as const;

/** JSON Schema of `QuestionDocument`. */
export const questionSchema = object(question, ASKED);

/** JSON Schema of `PolicyTestDocument`. */
export const policyTestSchema = object(
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
              layers: rows(
                object(
                  {
                    layer: oneOf('workflow', 'agent', 'parent', 'step'),
                    name: anyText,
                    spec: fits('CeilingSpec'),
                  },
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
);
