// Yes or no to one request of a program, in a fixed order: may it be counted, can it be read, is the host listed, are
// no placeholders on their way to somebody else or in clear, may every address of the host be connected to, is the decision durable.
import type { EgressDecision, SandboxEgress } from '../../runtime/ports.js';
import { placeholdersIn, type Credential } from './credential.js';
import { judgeAddresses, type Resolve } from './dial.js';
import type { Target } from './target.js';
import type { Traffic } from './traffic.js';

export interface GateParts {
  readonly egress: SandboxEgress;
  readonly credentials: readonly Credential[];
  readonly traffic: Traffic;
  readonly resolve: Resolve;
}

/** What of a refusal the program and the log are told. */
export type Reason =
  | 'not a request for a host'
  | 'the host is not listed'
  | 'the host has an address that is not public'
  | 'the host has no address'
  | 'the request names another host'
  | 'the connection is for another host'
  | 'a placeholder is sent to a host that its secret is not declared for'
  | 'a secret is not sent without TLS'
  | 'the body is encoded in a way that is not passed on'
  | 'only HTTP and TLS pass';

export type Passage =
  | {
      readonly verdict: 'allow';
      readonly addresses: readonly string[];
      /** Credentials whose placeholders stand in the request. */
      readonly used: readonly Credential[];
    }
  | { readonly verdict: 'deny'; readonly reason: Reason }
  /** Nothing passes any more. */
  | { readonly verdict: 'over' };

/** In the log, for a host that is not listed: its name is whatever the program wanted to write there. */
const UNLISTED = 'unlisted';

export class Gate {
  readonly #parts: GateParts;
  readonly #hosts: ReadonlySet<string>;
  readonly #onUnrecorded: () => void;
  #isOpen = true;

  /** `onUnrecorded`: a decision could not be made durable; nothing passes from then on. */
  constructor(parts: GateParts, onUnrecorded: () => void) {
    this.#parts = parts;
    this.#hosts = new Set(parts.egress.hosts);
    this.#onUnrecorded = onUnrecorded;
  }

  /** Whether a secret may be sent to it: then it is not tunnelled blindly. */
  isIntercepted({ host }: Target): boolean {
    return this.#parts.credentials.some(({ hosts }) => hosts.has(host));
  }

  /** Those of this step. */
  get credentials(): readonly Credential[] {
    return this.#parts.credentials;
  }

  /**
   * `texts`: what of the request may hold placeholders. `isTls`: it goes on by TLS. `problem`: it is refused for that,
   * wherever it wants to go.
   */
  async pass(
    target: Target | null,
    texts: readonly string[],
    isTls: boolean,
    problem: Reason | null = null,
  ): Promise<Passage> {
    const { traffic, resolve, credentials } = this.#parts;
    if (!this.#isOpen || !traffic.request()) return { verdict: 'over' };
    if (target === null) return this.#refuse(null, 'not a request for a host');
    const { host } = target;
    if (!this.#hosts.has(host)) return this.#refuse(UNLISTED, 'the host is not listed');
    if (problem !== null) return this.#refuse(host, problem);
    const used = credentials.filter((one) => texts.some((text) => placeholdersIn(text, [one]).length > 0));
    if (used.some(({ hosts }) => !hosts.has(host)))
      return this.#refuse(host, 'a placeholder is sent to a host that its secret is not declared for');
    if (!isTls && used.some(({ plainHosts }) => !plainHosts.has(host)))
      return this.#refuse(host, 'a secret is not sent without TLS');
    const judged = await judgeAddresses(target, this.#hosts, resolve);
    if ('refused' in judged) {
      const isForbidden = judged.refused === 'address';
      return this.#refuse(
        host,
        isForbidden ? 'the host has an address that is not public' : 'the host has no address',
      );
    }
    const names = used.map(({ name }) => name);
    if (!(await this.#record({ host, verdict: 'allow', reason: null, credentials: names })))
      return { verdict: 'over' };
    traffic.allowed(host);
    return { verdict: 'allow', addresses: judged.addresses, used };
  }

  /** Of something that had passed so far. */
  async refuseLater({ host }: Target, reason: Reason): Promise<void> {
    await this.#refuse(host, reason);
  }

  close(): void {
    this.#isOpen = false;
  }

  async #refuse(host: string | null, reason: Reason): Promise<Passage> {
    if (!this.#parts.traffic.refusal()) return { verdict: 'over' };
    if (!(await this.#record({ host, verdict: 'deny', reason, credentials: [] }))) return { verdict: 'over' };
    return { verdict: 'deny', reason };
  }

  async #record(decision: EgressDecision): Promise<boolean> {
    if (!this.#isOpen) return false;
    try {
      await this.#parts.egress.record(decision);
      return this.#isOpen;
    } catch {
      // Whatever it was: nothing passes that is not written down, and the step ends.
      this.#isOpen = false;
      this.#onUnrecorded();
      return false;
    }
  }
}
