// One spelling for dialect 2: keyword keys are read with either case of their first letter and come out in native
// spelling (`startAt`). The rule stops at user data: state names, `result`, schemas and ceilings stay as written.
import type { Findings } from '../diagnostic.js';
import type { Located, LocatedEntry, Segments } from '../located.js';

/** The keys of a native document, of its metadata and of its spec, down to the rules, in native spelling. */
export function nativeSpelling(root: Located, findings: Findings): Located {
  return keywords(root, [], findings, {
    metadata: (node, at) => keywords(node, at, findings),
    spec: (node, at) => machineSpelling(node, findings, at),
  });
}

/** As nativeSpelling, for a machine: `spec`, or a plain States Language document. */
export function machineSpelling(root: Located, findings: Findings, at: Segments = []): Located {
  return keywords(root, at, findings, {
    states: (states, statesAt) =>
      states.kind === 'map'
        ? {
            ...states,
            entries: states.entries.map((entry) => ({
              ...entry,
              value: state(entry.value, [...statesAt, entry.key], findings),
            })),
          }
        : states,
  });
}

type Inner = (node: Located, at: Segments) => Located;

function state(node: Located, at: Segments, findings: Findings): Located {
  const plain: Inner = (item, itemAt) => keywords(item, itemAt, findings);
  const rule: Inner = (item, itemAt) => ruleSpelling(item, itemAt, findings);
  return keywords(node, at, findings, {
    retry: (list, listAt) => each(list, listAt, plain),
    catch: (list, listAt) => each(list, listAt, plain),
    choices: (list, listAt) => each(list, listAt, rule),
  });
}

function ruleSpelling(node: Located, at: Segments, findings: Findings): Located {
  const rule: Inner = (item, itemAt) => ruleSpelling(item, itemAt, findings);
  return keywords(node, at, findings, {
    and: (list, listAt) => each(list, listAt, rule),
    or: (list, listAt) => each(list, listAt, rule),
    not: rule,
  });
}

function each(node: Located, at: Segments, inner: Inner): Located {
  if (node.kind !== 'list') return node;
  return { ...node, items: node.items.map((item, i) => inner(item, [...at, i])) };
}

function keywords(
  node: Located,
  at: Segments,
  findings: Findings,
  inside: Readonly<Record<string, Inner>> = {},
): Located {
  if (node.kind !== 'map') return node;
  const entries = new Map<string, LocatedEntry>();
  for (const entry of node.entries) {
    const key = entry.key.slice(0, 1).toLowerCase() + entry.key.slice(1);
    const inner = Object.hasOwn(inside, key) ? inside[key] : undefined;
    const value = inner === undefined ? entry.value : inner(entry.value, [...at, key]);
    if (entries.has(key)) {
      findings.add({
        code: 'DOC_DUPLICATE_FIELD',
        message: `${JSON.stringify(key)} is given twice, in two spellings`,
        hint: 'keep one of them',
        at: [...at, key],
        offset: entry.keyOffset,
      });
    } else {
      entries.set(key, { key, keyOffset: entry.keyOffset, value });
    }
  }
  return { ...node, entries: [...entries.values()] };
}
