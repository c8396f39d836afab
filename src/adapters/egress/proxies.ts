// The egress proxy: one listener for one step, whose socket is the step's identity. What a program asks for is judged
// before anything is resolved or connected, and written down before anything is sent. Refused is everything that is not
// listed, and everything that can't be read in one way only.
import { chmod } from 'node:fs/promises';
import type { JsonObject } from '../../json.js';
import type { EgressProxies, EgressProxy, SandboxEgress } from '../../runtime/ports.js';
import { makeAuthority } from './authority.js';
import { credentialsOf, type DeclaredHosts, type SecretByName } from './credential.js';
import type { Resolve } from './dial.js';
import { Gate } from './gate.js';
import type { Redact } from './redaction.js';
import { openServer } from './server.js';
import { Traffic, type Budget } from './traffic.js';

export interface EgressOptions {
  readonly resolve: Resolve;
  readonly secret: SecretByName;
  /** Hosts that secrets may be sent to, as the operator has declared them. */
  readonly declared: DeclaredHosts;
  readonly redact: Redact;
  /** Certificates (PEM) that hosts are verified by; default Node's own. */
  readonly ca?: readonly string[];
  /** For a request's headers, or a tunnel's first bytes; default 10 s. */
  readonly firstBytesMs?: number;
}

const FIRST_BYTES_MS = 10_000;

export function openEgressProxies(options: EgressOptions): EgressProxies {
  const credentials = ({ credentials: names, hosts }: SandboxEgress): ReturnType<typeof credentialsOf> =>
    credentialsOf(names, hosts, options.declared, options.secret);
  return {
    check(egress) {
      credentials(egress);
    },
    async open(egress, socket): Promise<EgressProxy> {
      const own = credentials(egress);
      let end: (what: Budget | 'unrecorded') => void = () => undefined;
      const ended = new Promise<Budget | 'unrecorded'>((resolve) => {
        end = resolve;
      });
      const traffic = new Traffic(egress, (budget) => over(budget));
      const gate = new Gate({ egress, credentials: own, traffic, resolve: options.resolve }, () =>
        over('unrecorded'),
      );
      const authority = own.length === 0 ? null : await makeAuthority(Date.now());
      const { redact, secret, ca, firstBytesMs = FIRST_BYTES_MS } = options;
      const server = await openServer(
        { gate, traffic, authority, redact, secret, firstBytesMs, ...(ca === undefined ? {} : { ca }) },
        socket,
      );
      // Whoever can reach the socket may use it: its folder is the runner's own, and is shown to one container.
      await chmod(socket, 0o666);
      const over = (what: Budget | 'unrecorded'): void => {
        gate.close();
        server.cut();
        end(what);
      };
      return {
        env: Object.fromEntries(own.map(({ variable, placeholder }) => [variable, placeholder])),
        authority: authority?.certificate ?? null,
        ended,
        async close(): Promise<JsonObject> {
          gate.close();
          await server.close();
          return traffic.totals();
        },
      };
    },
  };
}
