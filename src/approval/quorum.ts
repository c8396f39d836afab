// Whether the people who approved fill every factor. One person fills one factor only, and n counts people.

export interface Factor {
  readonly role: string;
  readonly n: number;
}

/** Whether a person may fill a factor's role; a factor may name alternatives, so policy answers. */
export type HoldsRole = (person: string, role: string) => boolean;

/**
 * True when each factor can be given n distinct people who hold its role and nobody is counted twice
 * (a matching of people to places; Kuhn's algorithm).
 */
export function quorumMet(factors: readonly Factor[], people: readonly string[], holds: HoldsRole): boolean {
  const places = factors.flatMap((factor) => Array.from({ length: factor.n }, () => factor.role));
  const distinct = [...new Set(people)];
  if (places.length === 0 || distinct.length < places.length) return false;
  const holder = new Map<string, number>();

  const seat = (place: number, tried: Set<string>): boolean => {
    const role = places[place];
    for (const person of distinct) {
      if (role === undefined || tried.has(person) || !holds(person, role)) continue;
      tried.add(person);
      const held = holder.get(person);
      if (held === undefined || seat(held, tried)) {
        holder.set(person, place);
        return true;
      }
    }
    return false;
  };
  return places.every((_, place) => seat(place, new Set()));
}
