// The ceilings that an act is judged under, each by itself: what it refuses, what it charges, where it lets programs connect.
import { isAction, isStepAct } from '../rbac/action.js';
import { budgetField, budgetUses } from '../ceiling/budget.js';
import { LAYERS, type CeilingLayer, type LayerName } from '../ceiling/ceiling.js';
import type { Facts, UnapprovedRequest } from '../ceiling/facts.js';
import { hostMatches } from '../ceiling/host.js';
import { boundViolations } from '../ceiling/permits.js';
import type { Violation } from '../ceiling/violation.js';
import { ratesOf } from '../ceiling/rate.js';
import type { PolicySnapshot } from '../snapshot.js';
import type { CeilingRecord, DecisionRequest, LayerBudget, LayerRate } from './decision.js';

/** The snapshot's own layers that hold for the domain, absent ones recorded, then the caller's, in layer order. */
export function allLayers(snapshot: PolicySnapshot, request: DecisionRequest): readonly CeilingLayer[] {
  const own = snapshot.layers.own(request.domain);
  return [...own, ...request.layers].toSorted((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer));
}

export interface JudgedLayer {
  readonly of: CeilingLayer;
  readonly records: readonly CeilingRecord[];
  readonly violations: readonly Violation[];
}

export function judgeLayer(
  snapshot: PolicySnapshot,
  of: CeilingLayer,
  request: DecisionRequest,
): JudgedLayer {
  const { layer, name, spec } = of;
  if (spec === null) return { of, records: [{ layer, name, hash: null, ok: true }], violations: [] };
  const hash = snapshot.ceilingHash(spec);
  // Checked by problemOf: the action is one of the closed list.
  const violations = boundViolations(spec, request as UnapprovedRequest);
  if (violations.length === 0) return { of, records: [{ layer, name, hash, ok: true }], violations };
  const records = violations.map(({ field, limit, requested }) => {
    return { layer, name, hash, ok: false, field, limit, requested };
  });
  return { of, records, violations };
}

/** Only what steps do is charged. */
export function isCharged(action: string): boolean {
  return isAction(action) && isStepAct(action);
}

/** Every budget of every layer that the act is charged to. */
export function budgetsOf(layers: readonly CeilingLayer[], facts: Facts): readonly LayerBudget[] {
  return layers.flatMap(({ layer, name, spec }) =>
    (spec === null ? [] : budgetUses(spec.budget, facts.estimate)).map((use) => {
      if (use.estimate === null)
        throw new Error(`an unknown amount under ${budgetField(use)} was let through`);
      return { layer, name, ...use, estimate: use.estimate };
    }),
  );
}

/** Every rate of every layer that counts the act. */
export function layerRatesOf(layers: readonly CeilingLayer[], facts: Facts): readonly LayerRate[] {
  return layers.flatMap(({ layer, name, spec }) =>
    ratesOf(spec?.rates, facts).map((rate) => ({ layer, name, ...rate })),
  );
}

const OPERATORS: readonly LayerName[] = ['org', 'environment', 'tenant'];
/** An address, as `host:port` writes it. */
const ADDRESS = /^(?:[0-9.]+|\[.*\]):[0-9]+$/;

/** Who writes a workflow doesn't say where programs may connect to: its own layers count for nothing here. */
export function areListed(layers: readonly CeilingLayer[], hosts: readonly string[]): boolean {
  const lists = layers.flatMap(({ layer, spec }) =>
    OPERATORS.includes(layer) && spec !== null ? spec.network.allow : [],
  );
  return hosts.every((host) =>
    lists.some((list) =>
      list.some((pattern) => hostMatches(host, pattern) && !(ADDRESS.test(host) && pattern.startsWith('*'))),
    ),
  );
}
