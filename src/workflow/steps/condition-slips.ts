// What parses as a condition and hardly means what was meant: quotes that are too many, and quotes that are missing.
import type { Condition, ConditionNode, ConditionPath } from '../../expression/condition/condition.js';

/** Does a text in quotes hold `{{ }}`, which is no variable there? */
export function quotesBraces(node: ConditionNode): boolean {
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

/** `success` in `{{check.status}} == success`: a name without braces or a path, where a text is usual. */
export function bareWords({ root, source }: Condition): readonly ConditionPath[] {
  return comparedWith(root).filter(
    ({ segments, offset }) => segments.length === 0 && !source.slice(0, offset).trimEnd().endsWith('{{'),
  );
}

/** Names behind `==` and `!=`; what stands before them is a variable most of the time. */
function comparedWith(node: ConditionNode): readonly ConditionPath[] {
  switch (node.kind) {
    case 'literal':
    case 'path':
      return [];
    case 'not':
      return comparedWith(node.operand);
    case 'and':
    case 'or':
      return node.operands.flatMap(comparedWith);
    case 'compare': {
      const { left, operator, right } = node;
      const isTest = left.kind === 'path' && right.kind === 'path' && /^[!=]=$/.test(operator);
      return isTest ? [right.path] : [...comparedWith(left), ...comparedWith(right)];
    }
  }
}
