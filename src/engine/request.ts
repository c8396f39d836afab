// The question a cursor waits with, derived from where it stands: asked again after a crash it is the same question.
import { WritError } from '../errors.js';

import { isList, isObject, type Json, type JsonObject } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import { itemLimit } from './map-items.js';
import type { Values } from './amount.js';
import { contextOf } from './context.js';
import { drawHex } from './draws.js';
import type { Request } from './query.js';
import { eachOf, fieldsAt, prefixAt } from './stage.js';
import type { Ask, Frame } from './state.js';
import { writePath } from './step-path.js';
import type { RunTree } from './tree.js';
import { variablesOf } from './variables.js';

export function requestOf(plan: Plan, tree: RunTree, frame: Frame, nowMs: number): Request[] {
  const { ask } = frame;
  if (ask === null) return [];
  switch (ask.kind) {
    case 'query':
      return [queryOf(plan, tree, frame, ask, nowMs)];
    case 'read':
      return [readingOf(plan, frame, ask)];
    case 'write':
      return [writingOf(plan, tree, frame, ask)];
  }
}

function queryOf(plan: Plan, tree: RunTree, frame: Frame, ask: Ask, nowMs: number): Request {
  const seen = subjectOf(tree, frame, ask);
  const node = plan.nodes[seen.node];
  if (node === undefined) throw new WritError('INTERNAL', `plan ${plan.id} lost the node "${seen.node}"`);
  const held = ask.held ?? null;
  const states: JsonObject = {
    input: seen.data,
    context: contextOf(plan, tree, seen),
    ...(ask.name === 'leave' && ask.held !== undefined ? { result: held } : {}),
    ...(ask.name === 'catch' ? { errorOutput: held } : {}),
  };
  return {
    kind: 'query',
    id: frame.id,
    at: ask.at,
    fields: named(fieldsAt(node, ask), prefixAt(node, ask)),
    states,
    variables: variablesOf(tree, seen),
    nowMs,
    seed: drawHex(tree.head.seed, `query ${ask.at}`),
  };
}

/** The cursor as its expressions see it: an item's selector looks from the Map, with the item in sight. */
function subjectOf(tree: RunTree, frame: Frame, ask: Ask): Frame {
  if (ask.name === 'item') {
    const around = frame.parent === null ? undefined : tree.frame(frame.parent);
    if (around === undefined) return frame;
    const { node, data, enteredAtMs, variables, seesOuter } = around;
    // Its parent's variables are its own here: a child of a distributed Map sees none.
    return { ...frame, node, data, enteredAtMs, variables, seesOuter: frame.seesOuter || seesOuter };
  }
  if (ask.name !== 'select' || !isObject(ask.held)) return frame;
  const item = ask.index ?? 0;
  const { items = [], keys = null } = ask.held;
  const key = keys !== null && isList(keys) ? keys[item] : undefined;
  return {
    ...frame,
    parent: frame.id,
    item,
    value: isList(items) ? (items[item] ?? null) : null,
    itemKey: typeof key === 'string' ? key : null,
  };
}

/** As AWS names them in its messages: `Choices[1]/Condition`. */
function named(fields: Values, prefix: string): Values {
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [prefix + field, value]));
}

function readingOf(plan: Plan, frame: Frame, ask: Ask): Request {
  const node = plan.nodes[frame.node];
  const each = node === undefined ? null : eachOf(node);
  if (each?.items.kind !== 'reader') throw new WritError('INTERNAL', `"${frame.node}" reads no items`);
  const values = isObject(ask.held) ? ask.held : {};
  const { reader } = each.items;
  return {
    kind: 'read',
    id: frame.id,
    at: ask.at,
    reader,
    arguments: values['ItemReader/Arguments'] ?? null,
    maxItems: itemLimit(reader, values),
  };
}

function writingOf(plan: Plan, tree: RunTree, frame: Frame, ask: Ask): Request {
  const node = plan.nodes[frame.node];
  const writer = node === undefined ? null : (eachOf(node)?.distributed?.writer ?? null);
  if (writer === null) throw new WritError('INTERNAL', `"${frame.node}" writes no results`);
  const items: readonly Json[] = tree.lanes(frame.id)[0]?.items ?? [];
  const results = tree.results(frame.id)[0] ?? [];
  return {
    kind: 'write',
    stepPath: writePath(plan, frame),
    id: frame.id,
    at: ask.at,
    writer,
    arguments: frame.fork?.map?.writing ?? null,
    results: results.map(({ item, output, error }) => ({
      index: item ?? 0,
      input: items[item ?? 0] ?? null,
      output,
      error,
    })),
  };
}
