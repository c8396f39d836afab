// What all of Writ's calls share: the guard with all it needs, the log with its publication, and the policies in force.
import { NO_ANCHORS, type Anchoring } from '../witness/anchor.js';
import { Cadence } from '../log/cadence.js';
import type { Callables } from '../call/callable.js';
import { eraseFunction } from '../erasure/function.js';
import { openFunctionRegistry } from '../call/function-registry.js';
import { Journal } from '../log/journal.js';
import type { Guard } from '../guard-parts.js';
import { finishHeld } from '../log/key-rotation.js';
import { LivePolicy } from '../live-policy.js';
import { publish, type Publication } from '../log/publisher.js';
import { openRedactor } from '../redaction.js';
import { openRunAnchors, type RunAnchors } from '../witness/run-anchors.js';
import { RunPolicies } from '../run/policies.js';
import type { ScrubParts } from '../erasure/scrub.js';
import { securityCheck } from '../call/security-check.js';
import { openWatchers, type Watchers } from '../run/watchers.js';
import type { ApplicationParts } from './parts.js';

export interface Core {
  readonly parts: ApplicationParts;
  readonly guard: Guard;
  readonly live: LivePolicy;
  readonly journal: Journal;
  readonly functions: ReturnType<typeof openFunctionRegistry>;
  /** Functions of Writ's own, which only workflows of its own may call. */
  readonly builtIn: NonNullable<Callables['builtIn']>;
  readonly publication: Publication;
  readonly cadence: Cadence;
  readonly anchoring: Anchoring;
  readonly anchors: RunAnchors;
  readonly scrubbing: Omit<ScrubParts, 'store'>;
  readonly watchers: Watchers;
}

export function openCore(parts: ApplicationParts): Core {
  const { store, locks, clock, random, tenant, directory, trust } = parts;
  const { policyPin: pin = 'start', policyMaxAgeMs: maxAgeMs = null } = parts;
  const live = new LivePolicy(parts.policy, { maxAgeMs, nowMs: clock.nowMs() });
  const current = () => live.current();
  const runPolicies = new RunPolicies({ store, current, build: parts.buildPolicies, pin });
  const { signer } = parts.keys;
  const watchers = openWatchers();
  const redact = openRedactor(parts.secrets);
  const journal = new Journal(store, redact);
  const scrubbing = { copies: parts.copyFiles, locks, publish: () => cadence.now() };
  const builtIn = [eraseFunction({ guard: () => guard, ...scrubbing }), securityCheck(() => guard)];
  const functions = openFunctionRegistry(parts.callables.providers);
  const callables: Callables = { ...parts.callables, providers: functions.providers, builtIn };
  const guard: Guard = {
    via: parts.via,
    store,
    journal,
    clock,
    random,
    redact,
    ...(parts.sha256 === undefined ? {} : { sha256: parts.sha256 }),
    ...(parts.verifySignature === undefined ? {} : { verifySignature: parts.verifySignature }),
    tenant,
    policy: current,
    policyFiles: () => live.files(),
    policyOfRun: (run) => runPolicies.of(run),
    stalePolicy: () => live.staleness(clock.nowMs()),
    callables,
    queries: parts.queries,
    artifacts: parts.artifacts,
    requireAnchor: (runId, signal) => anchors.require(runId, signal),
    progress: () => watchers.teller(),
  };
  const publication: Publication = {
    store,
    directory,
    signer,
    locks,
    trust,
    ...(parts.verifySignature === undefined ? {} : { verifySignature: parts.verifySignature }),
    finishRotation: () => finishHeld({ publication, keys: parts.keys }),
  };
  const cadence = new Cadence({
    publish: () => journal.orStop(() => publish(publication)),
    clock,
    failed: (error) => {
      journal.stop(error);
    },
  });
  journal.onEntry(() => {
    cadence.soon();
  });
  const anchoring = { ...(parts.anchors ?? NO_ANCHORS), publication: { ...publication, store }, clock };
  const anchors = openRunAnchors(anchoring, journal);
  return {
    parts,
    guard,
    live,
    journal,
    functions,
    builtIn,
    publication,
    cadence,
    anchoring,
    anchors,
    scrubbing,
    watchers,
  };
}
