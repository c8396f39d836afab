// What the node server hands to each request beside the request itself.

export interface Bindings {
  readonly incoming: {
    /** Name, value, name, value, as they came: nothing is joined or left out. */
    readonly rawHeaders: readonly string[];
    readonly socket: { readonly remoteAddress?: string };
  };
}
