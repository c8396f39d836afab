export interface ModelServer {
  /** The base URL for WRIT_MODEL_BASE_URL. */
  readonly url: string;
  readonly port: number;
  readonly requests: {
    readonly path: string;
    readonly headers: Readonly<Record<string, string | undefined>>;
    /** As it came: tests look into it. */
    readonly body: any;
  }[];
  close(): Promise<void>;
}

export function startModelServer(options?: {
  readonly port?: number;
  readonly key?: string | null;
  readonly script?: readonly { readonly contains: string; readonly replies: readonly string[] }[];
}): Promise<ModelServer>;
