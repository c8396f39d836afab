// Templates and conditions of one step, checked at load: syntax, limits, helpers, and names where they can be known.
import { parseCondition, type ConditionNode } from '../../expression/condition.js';
import { nearest } from '../../expression/nearest.js';
import { checkTemplate } from '../../expression/template.js';
import { WritError } from '../../errors.js';
import type { Findings } from '../diagnostic.js';
import { field, type Located, type Segments } from '../located.js';
import { innerOffset } from '../text-place.js';

export interface NameSpace {
  /** The document's text, for exact places. */
  readonly source: string;
  readonly names: ReadonlySet<string>;
  /** No name outside of `names` can exist, so one is an error. */
  readonly closed: boolean;
}

/** Checks `promptTemplate`, every text in `config`, and `condition` of a step. */
export function checkExpressions(step: Located, at: Segments, space: NameSpace, findings: Findings): void {
  const prompt = field(step, 'promptTemplate')?.value;
  if (prompt !== undefined) checkTexts(prompt, [...at, 'promptTemplate'], space, findings);
  const config = field(step, 'config')?.value;
  if (config?.kind === 'map') checkTexts(config, [...at, 'config'], space, findings);
  const condition = field(step, 'condition')?.value;
  if (condition?.kind === 'scalar' && typeof condition.value === 'string') {
    checkCondition(condition, condition.value, [...at, 'condition'], space, findings);
  }
}

function checkTexts(node: Located, at: Segments, space: NameSpace, findings: Findings): void {
  if (findings.full) return;
  if (node.kind === 'map') {
    for (const { key, value } of node.entries) checkTexts(value, [...at, key], space, findings);
  } else if (node.kind === 'list') {
    for (const [i, item] of node.items.entries()) checkTexts(item, [...at, i], space, findings);
  } else if (typeof node.value === 'string') {
    for (const { offset, ...problem } of checkTemplate(node.value, space.names, space.closed)) {
      const place = innerOffset(space.source, node, offset);
      findings.add({ ...problem, at, ...(place === undefined ? {} : { offset: place }) });
    }
  }
}

function checkCondition(
  node: Located,
  text: string,
  at: Segments,
  space: NameSpace,
  findings: Findings,
): void {
  const placed = (inner: unknown) => {
    const offset = innerOffset(space.source, node, typeof inner === 'number' ? inner : undefined);
    return offset === undefined ? {} : { offset };
  };
  try {
    const condition = parseCondition(text, space.names);
    for (const path of condition.paths) {
      if (!space.closed || space.names.has(path.head) || findings.full) continue;
      findings.add({
        code: 'DOC_UNKNOWN_NAME',
        message: `condition names ${JSON.stringify(path.head)}, which nothing in the workflow gives`,
        hint: nearest(path.head, space.names) ?? 'declare it in inputs, or set it with an outputVar',
        at,
        ...placed(path.offset),
      });
    }
    if (quotesBraces(condition.root)) {
      findings.add({
        code: 'DOC_EXPRESSION',
        severity: 'warning',
        message: 'text in quotes is compared as it stands, {{ }} in it is no variable',
        hint: 'take the quotes away around {{ }}',
        at,
      });
    }
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    findings.add({
      code: error.code,
      message: `condition: ${error.message}`,
      hint: error.hint,
      at,
      ...placed(error.details?.['offset']),
    });
  }
}

function quotesBraces(node: ConditionNode): boolean {
  switch (node.kind) {
    case 'literal':
      return typeof node.value === 'string' && node.value.includes('{{');
    case 'path':
      return false;
    case 'not':
      return quotesBraces(node.operand);
    case 'and':
    case 'or':
      return node.operands.some(quotesBraces);
    case 'compare':
      return quotesBraces(node.left) || quotesBraces(node.right);
  }
}
