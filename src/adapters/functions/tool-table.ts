// Function ids under names that model endpoints accept, and back. A model can only ask for what was offered: a name
// that is not in the table leads nowhere.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';

/** How the functions of this runner are described to a model. */
export interface ToolCatalog {
  /** Every registered id. */
  readonly functionIds: () => readonly string[];
  /** null = not registered. */
  readonly describe: (functionId: string) => ToolDescription | null;
}

export interface ToolDescription {
  readonly description: string;
  /** JSON Schema of the request; null = any object. */
  readonly inputSchema: Json | null;
}

export interface OfferedTool {
  /** 1-64 of `[A-Za-z0-9_-]`, unique in its table. */
  readonly name: string;
  readonly functionId: string;
  readonly description: string;
  readonly inputSchema: Json;
}

export interface ToolTable {
  readonly tools: readonly OfferedTool[];
  /** By the name a model uses (attacker-controlled); null = it was not offered. */
  byName(name: string): OfferedTool | null;
}

/** More are refused: endpoints take about this many, and a model that has more to choose from chooses worse. */
const MAX_TOOLS = 128;
const MAX_NAME = 64;

/**
 * `allowed` are ids and `ns::*`, `conversing` the ids that no table holds. Throws FUNCTION_UNAVAILABLE when one of
 * them is not registered: a model that gets less than its file says is not the one that was configured.
 */
export function openToolTable(
  allowed: readonly string[],
  catalog: ToolCatalog,
  conversing: ReadonlySet<string>,
  whose: string,
): ToolTable {
  const ids = new Set<string>();
  for (const pattern of allowed) {
    const found = matching(pattern, catalog).filter((id) => !conversing.has(id));
    if (found.length === 0) {
      throw new WritError(
        'FUNCTION_UNAVAILABLE',
        `${whose} may call ${pattern}, which is not registered here`,
        {
          hint: 'register it, or take it out of the list',
        },
      );
    }
    for (const id of found) ids.add(id);
  }
  if (ids.size > MAX_TOOLS) {
    throw new WritError(
      'FUNCTION_UNAVAILABLE',
      `${whose} may call ${ids.size} functions, more than ${MAX_TOOLS}`,
      {
        hint: 'name fewer in its file',
      },
    );
  }
  const byName = new Map<string, OfferedTool>();
  for (const functionId of ids) {
    const { description, inputSchema } = catalog.describe(functionId) ?? {
      description: '',
      inputSchema: null,
    };
    const name = freeName(functionId, byName);
    byName.set(name, {
      name,
      functionId,
      description: description === '' ? functionId : description,
      inputSchema: inputSchema ?? { type: 'object' },
    });
  }
  return { tools: [...byName.values()], byName: (name) => byName.get(name) ?? null };
}

/** Whether an id is under one of `allowed`. */
export function isAllowed(functionId: string, allowed: readonly string[]): boolean {
  return allowed.some((pattern) => matches(functionId, pattern));
}

function matching(pattern: string, { functionIds, describe }: ToolCatalog): readonly string[] {
  if (!pattern.endsWith('::*')) return describe(pattern) === null ? [] : [pattern];
  return functionIds()
    .filter((id) => matches(id, pattern))
    .toSorted();
}

function matches(functionId: string, pattern: string): boolean {
  return pattern.endsWith('::*') ? functionId.startsWith(pattern.slice(0, -1)) : functionId === pattern;
}

/** `tool::http_request` is `tool__http_request`; two ids that come out the same are told apart by a number. */
function freeName(functionId: string, taken: ReadonlyMap<string, unknown>): string {
  const plain = functionId.replaceAll('::', '__').replaceAll(/[^A-Za-z0-9_-]/g, '_');
  for (let n = 1; ; n++) {
    const end = n === 1 ? '' : `_${n}`;
    const name = plain.slice(0, MAX_NAME - end.length) + end;
    if (!taken.has(name)) return name;
  }
}
