// Packages of agents by digest, and the policy text they bring.
import type { Digest, Json } from '../../json.js';

/** A verified agent package: manifest -> config -> layer all hash to what names them. */
export interface AgentPackage {
  readonly digest: Digest;
  readonly name: string;
  /** Where it says that it comes from. */
  readonly repository: string;
  readonly module: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly argv: readonly string[];
  /** `spec` of the package's ceiling layer; never absent. */
  readonly ceiling: Json;
  /** Whether one of the signatures that came with it is `key`'s (X.509 SubjectPublicKeyInfo, base64) over this digest. */
  readonly isSignedBy: (key: string) => boolean;
  /** Policy text (Cedar) that narrows what the package may do; absent = it has none. */
  readonly policy?: string;
}

/** What a package would do, as its policy text is asked about it; `agent.invoke`: that it is called, as `NAME@sha256:…`. */
export interface PackageAct {
  readonly action: 'network.egress' | 'tool.invoke' | 'secret.use' | 'agent.invoke';
  readonly resource: string;
}

/** `error`: the text could not be judged; `act` null = not even read. */
export interface PackageRefusal {
  readonly kind: 'denied' | 'error';
  readonly act: PackageAct | null;
  readonly reason: string;
}

/** Evaluates the policy text of packages, each as a set of its own, so that no permit of another one adds to it. */
export interface PackagePolicies {
  /**
   * Null when the text permits every act; else the first that it does not. That the package is called needs no permit,
   * and may be forbidden. Any error in the text, in one of its policies
   * or in the engine is a refusal; never rejects.
   */
  refusal(
    text: string,
    question: { readonly agent: string; readonly acts: readonly PackageAct[] },
  ): Promise<PackageRefusal | null>;
}

/** Content-addressed: a package is found by digest only and verified on every read (INTEGRITY_*). */
export interface PackageStore {
  resolve(digest: Digest): Promise<AgentPackage | null>;
}
