// How many event streams are open: of all, and of one person, so that nobody can take them from the others.

const MAX_STREAMS = 256;
const MAX_OF_ONE = 16;

export interface Streams {
  /** What ends the stream, to be called once or more; null = there are too many. */
  begin(person: string): (() => void) | null;
}

export function openStreams(): Streams {
  const open = new Map<string, number>();
  let all = 0;
  return {
    begin(person) {
      const own = open.get(person) ?? 0;
      if (all >= MAX_STREAMS || own >= MAX_OF_ONE) return null;
      all += 1;
      open.set(person, own + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        all -= 1;
        const left = (open.get(person) ?? 1) - 1;
        if (left === 0) open.delete(person);
        else open.set(person, left);
      };
    },
  };
}
