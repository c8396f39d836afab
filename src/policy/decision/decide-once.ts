// One question asked ten thousand times, by the items of a map, has one answer as long as the answer does not depend on
// when it is asked. Every attempt still asks and is still recorded; only the work is not done again.
import { canonicalJson } from '../../canonical-json.js';
import { readJson, type Json } from '../../json.js';
import type { CeilingLayer } from '../ceiling/ceiling.js';
import { decide } from './decide.js';
import type { Decision, DecisionRequest } from './decision.js';
import type { PolicySnapshot } from '../snapshot.js';

interface Known {
  readonly snapshot: PolicySnapshot;
  /** A copy: what was asked may change afterwards, what was answered may not. */
  readonly question: Json;
  readonly decision: Decision;
}

/** Layers that a question has come with: what is asked only once, as in a plan, is not kept. */
const asked = new WeakSet<readonly CeilingLayer[]>();
/** The last answer, by the layers that came with the question: those of a step are the same list each time. */
const last = new WeakMap<readonly CeilingLayer[], Known>();

/**
 * As `decide`, and from the third time the same object where the same snapshot is asked the same question under the same
 * layers. Where a layer holds for a time only, or a standing approval may be there, everything is decided anew.
 */
export function decideOnce(snapshot: PolicySnapshot, request: DecisionRequest): Decision {
  if (isFirst(request) || !isTimeless(snapshot, request)) return decide(snapshot, request);
  const before = last.get(request.layers);
  if (before?.snapshot === snapshot && isAsBefore(before.question, request)) return before.decision;
  const question = questionOf(request);
  const decision = decide(snapshot, request);
  if (question !== null) last.set(request.layers, { snapshot, question, decision });
  return decision;
}

function isFirst(request: DecisionRequest | null): boolean {
  const layers = request?.layers;
  if (!Array.isArray(layers) || asked.has(layers)) return false;
  asked.add(layers);
  return true;
}

/** Everything that is asked but time and layers; null where the answer is not for later. */
function questionOf(request: DecisionRequest): Json | null {
  try {
    const { nowMs: _, layers: __, ...question } = request;
    // Not JSON by type: what is none is found out here.
    return readJson(canonicalJson(question as unknown as Json));
  } catch {
    // A question that can't be read is for `decide` to refuse, in its words.
    return null;
  }
}

/** Time and layers are no part of it. */
const APART: readonly string[] = ['nowMs', 'layers'] satisfies (keyof DecisionRequest)[];

function isAsBefore(question: Json, request: DecisionRequest): boolean {
  return isSameJson(question, request, APART);
}

/** Whether `now` says what `known` does, member by member but for those `apart`. What is no JSON says nothing. */
function isSameJson(known: Json, now: unknown, apart: readonly string[] = []): boolean {
  if (known === null || typeof known !== 'object') return known === now;
  if (typeof now !== 'object' || now === null) return false;
  if (Object.getPrototypeOf(known) !== Object.getPrototypeOf(now)) return false;
  const before = known as Readonly<Record<string, Json>>;
  const members = now as Readonly<Record<string, unknown>>;
  const keys = Object.keys(now);
  if (keys.length !== Object.keys(before).length + apart.length) return false;
  return keys.every((key) => {
    if (apart.includes(key)) return true;
    const was = Object.hasOwn(before, key) ? before[key] : undefined;
    return was !== undefined && isSameJson(was, members[key]);
  });
}

function isTimeless(snapshot: PolicySnapshot, request: DecisionRequest): boolean {
  try {
    return isAlwaysSo(snapshot, request);
  } catch {
    return false;
  }
}

function isAlwaysSo(snapshot: PolicySnapshot, { domain, layers, nowMs }: DecisionRequest): boolean {
  const isAlways = ({ spec }: CeilingLayer): boolean =>
    spec === null || (spec.validity.notBeforeMs === null && spec.validity.notAfterMs === null);
  return (
    // A time that is none is refused, not remembered.
    Number.isSafeInteger(nowMs) &&
    nowMs >= 0 &&
    snapshot.grants.length === 0 &&
    layers.every(isAlways) &&
    snapshot.layers.own(domain).every(isAlways)
  );
}
