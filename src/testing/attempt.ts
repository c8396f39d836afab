// What is told of a simulation as it goes.

/** One attempt of a state that calls something, as it ended; `needed approval` comes before its end. */
export interface AttemptSeen {
  readonly state: string;
  readonly outcome: 'returned' | 'timed out' | 'needed approval' | { readonly threw: string };
}
