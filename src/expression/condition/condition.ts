// A condition of dialect 1 (AgentOS page), parsed: what is compared with what, and where each variable is named.

export type CompareOperator = '==' | '!=' | '<=' | '>=' | '<' | '>';

/** A variable as the condition names it: `head` is looked up in the scope, `segments` inside its value. */
export interface ConditionPath {
  /** As written, without braces. */
  readonly text: string;
  readonly head: string;
  readonly segments: readonly (string | number)[];
  /** Number of `../` before it; 0 outside of a template. */
  readonly up: number;
  /** 0-based, UTF-16 units, from the start of the condition, or of the template it stands in. */
  readonly offset: number;
}

export type ConditionNode =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'path'; readonly path: ConditionPath }
  | {
      readonly kind: 'compare';
      readonly operator: CompareOperator;
      readonly left: ConditionNode;
      readonly right: ConditionNode;
    }
  | { readonly kind: 'not'; readonly operand: ConditionNode }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly ConditionNode[] };

export interface Condition {
  readonly source: string;
  readonly root: ConditionNode;
  /** Every variable, in the order of the text. */
  readonly paths: readonly ConditionPath[];
}
