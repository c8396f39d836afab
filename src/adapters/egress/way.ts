// The way out of a sandbox, and a request on it.
import type { ServerResponse } from 'node:http';
import type { Connections } from './connections.js';
import type { SecretByName } from './credential.js';
import type { Gate } from './gate.js';
import type { Redact } from './redaction.js';
import type { Target } from './target.js';
import type { Traffic } from './traffic.js';

/** What every request of a step goes through. */
export interface Way {
  readonly gate: Gate;
  readonly traffic: Traffic;
  readonly connections: Connections;
  readonly redact: Redact;
  readonly secret: SecretByName;
  readonly ca?: readonly string[];
}

/** A request that was let through. */
export interface Passing {
  readonly way: Way;
  readonly target: Target;
  readonly response: ServerResponse;
}
