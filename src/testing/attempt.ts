// What is told of a simulation as it goes.

/** One attempt of a state that calls something, as it ended; `needed approval` comes before its end. */
export interface AttemptSeen {
  readonly state: string;
  /** The state and where it stands, `Each[3]/Score`: items and branches have a place each. */
  readonly place: string;
  /** How often the state was entered at this place, from 1; a retry is no other visit. */
  readonly visit: number;
  readonly outcome: 'returned' | 'timed out' | 'needed approval' | { readonly threw: string };
}
