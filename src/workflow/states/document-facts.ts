// What the states of a document have in common while they are compiled.
import type { Findings } from '../diagnostic.js';
import type { Located } from '../located.js';
import type { AgentReference } from './agent-reference.js';

export interface DocumentFacts {
  /** In native spelling, with places. */
  readonly root: Located;
  readonly findings: Findings;
  /** `native`: agentrc.workflow/v0.1. `compact`: its short form. `asl`: a plain States Language document. */
  readonly form: 'native' | 'compact' | 'asl';
  /** Registered function ids; `any` = every id. */
  readonly functions: ReadonlySet<string> | 'any';
  /** The caller knows its functions. */
  readonly isRegistry: boolean;
  /** Compact form: packages by alias; null = its reference is wrong, which is told. */
  readonly agents: ReadonlyMap<string, AgentReference | null>;
  /** Query language of states that name none. */
  readonly queryLanguage: 'JSONPath' | 'JSONata';
  /** False: the operator has switched JSONata off. */
  readonly jsonata: boolean;
}
