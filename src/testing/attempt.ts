// What is told of a simulation as it goes.

/** One attempt of a state that calls something, as it ended. */
export interface AttemptSeen {
  readonly state: string;
  readonly outcome: 'returned' | 'timed out' | { readonly threw: string };
}
