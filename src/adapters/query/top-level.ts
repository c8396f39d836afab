// ASL: "the value of the input at the top level is undefined": what an expression looks at, it reaches through $states
// and variables. A name or `$` at the top would only ever give nothing, so it is refused by its name.
import type jsonata from 'jsonata';

/** The first reference to the input at the top level of an expression; null = none. */
export function topLevelReference(node: jsonata.ExprNode | undefined, depth = 0): string | null {
  if (node === undefined || depth > 500) return null;
  const first = (nodes: readonly (jsonata.ExprNode | undefined)[]): string | null => {
    for (const one of nodes) {
      const found = topLevelReference(one, depth + 1);
      if (found !== null) return found;
    }
    return null;
  };
  const type: string = node.type;
  switch (type) {
    case 'name':
      return String(node.value);
    case 'variable':
      // `$` has the name '', `$$` the name '$'.
      return node.value === '' ? '$' : node.value === '$' ? '$$' : null;
    case 'path':
      return first([node.steps?.[0]]);
    case 'bind':
      return first(sides(node.rhs));
    case 'binary':
    case 'apply':
      return first([...sides(node.lhs), ...sides(node.rhs)]);
    case 'condition': {
      const { condition, then, else: otherwise } = node as jsonata.ExprNode & Branches;
      return first([condition, then, otherwise]);
    }
    case 'block':
      return first(node.expressions ?? []);
    case 'unary':
      return first([
        ...(node.expressions ?? []),
        ...sides(node.lhs),
        (node as { expression?: jsonata.ExprNode }).expression,
      ]);
    case 'function':
    case 'partial':
      // What is called is looked up among variables; a name there has an error of its own.
      return first(node.arguments?.filter((argument) => (argument.type as string) !== 'operator') ?? []);
    default:
      return null;
  }
}

interface Branches {
  readonly condition?: jsonata.ExprNode;
  readonly then?: jsonata.ExprNode;
  readonly else?: jsonata.ExprNode;
}

/** A side is one node, a list, or a list of pairs. */
function sides(side: jsonata.ExprNode['lhs'] | undefined): jsonata.ExprNode[] {
  if (side === undefined) return [];
  return Array.isArray(side) ? side.flat() : [side];
}
