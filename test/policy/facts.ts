// What a policy is told of a function that asks for nothing: no package, no sandbox, no network, no data with a label.
import type { Facts } from '../../src/policy/ceiling/facts.js';

export const plainFacts = (functionId: string, changes: Partial<Facts> = {}): Facts => ({
  functionId,
  agentName: null,
  agentDigest: null,
  sandbox: null,
  network: [],
  mounts: [],
  credentials: [],
  limits: {},
  labels: [],
  ...changes,
});
