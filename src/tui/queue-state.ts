// What the keys of the approval inbox do: pure, (state, event) -> state. Nothing is decided here: Enter opens a request,
// the space bar puts it into a batch or takes it out. The selection stays on its request while the list changes around
// it; a request that is gone is in no batch. Keys mean what they mean in the prompt.
import { MAX_BATCH } from '../approval/batch.js';
import type { Key } from './keys.js';

export interface QueueItem {
  readonly id: string;
  /** Requests with the same text may be approved together. */
  readonly batch: string;
}

export type QueueAnswer =
  | { readonly kind: 'open'; readonly ids: readonly string[] }
  | { readonly kind: 'left' }
  | { readonly kind: 'interrupted' };

export interface QueueState {
  readonly items: readonly QueueItem[];
  readonly selected: string | null;
  /** Ids in the order of the list. */
  readonly marked: readonly string[];
  readonly height: number;
  readonly message: string | null;
  /** Why the selected request needs an approval is shown in place of the message. */
  readonly why: boolean;
  readonly help: boolean;
  readonly answer: QueueAnswer | null;
}

export type QueueEvent =
  | { readonly type: 'key'; readonly key: Key }
  | { readonly type: 'listed'; readonly items: readonly QueueItem[] }
  | { readonly type: 'laid-out'; readonly height: number };

/** With what to say first, and which request to stand on. */
export function openQueueState({
  items,
  height,
  message,
  selected,
}: Pick<QueueState, 'items' | 'height' | 'message' | 'selected'>): QueueState {
  const before = { items: [], selected, marked: [], height, message, why: false, help: false, answer: null };
  return listed(before, items);
}

export function reduceQueue(state: QueueState, event: QueueEvent): QueueState {
  if (state.answer !== null) return state;
  switch (event.type) {
    case 'key':
      return onKey(state, event.key);
    case 'listed':
      return listed(state, event.items);
    case 'laid-out':
      return { ...state, height: event.height };
  }
}

/** First item on the screen: the selected one is always on it. */
export function topOf({ items, selected, height }: QueueState): number {
  const at = items.findIndex((item) => item.id === selected);
  return Math.max(0, Math.min(at - Math.floor(height / 2), items.length - height));
}

function onKey(before: QueueState, key: Key): QueueState {
  const state = { ...before, message: null, why: false };
  switch (key.kind) {
    case 'interrupt':
      return { ...state, answer: { kind: 'interrupted' } };
    case 'escape':
      return { ...state, answer: { kind: 'left' } };
    case 'enter':
      return open(state);
    case 'down':
      return move(state, 1);
    case 'up':
      return move(state, -1);
    case 'page-down':
      return move(state, state.height);
    case 'page-up':
      return move(state, -state.height);
    case 'text':
      return onText(state, key.text);
    case 'paste':
    case 'backspace':
    case 'focus-in':
    case 'focus-out':
    case 'other':
      return before;
  }
}

function onText(state: QueueState, text: string): QueueState {
  switch (text) {
    case 'q':
      return { ...state, answer: { kind: 'left' } };
    case 'j':
      return move(state, 1);
    case 'k':
      return move(state, -1);
    case '?':
      return { ...state, help: !state.help };
    case 'w':
      return { ...state, why: true };
    case ' ':
      return mark(state);
    case 'a':
    case 'd':
    case 'e':
      return { ...state, message: 'open the request first: Enter' };
    default:
      return state;
  }
}

function open(state: QueueState): QueueState {
  const { marked, selected } = state;
  if (marked.length > 1) return { ...state, answer: { kind: 'open', ids: marked } };
  return selected === null ? state : { ...state, answer: { kind: 'open', ids: [selected] } };
}

/** Only requests of the same step go together: what differs between them is what has to be read. */
function mark(state: QueueState): QueueState {
  const item = state.items.find((one) => one.id === state.selected);
  if (item === undefined) return state;
  if (state.marked.includes(item.id)) {
    return { ...state, marked: state.marked.filter((id) => id !== item.id) };
  }
  const first = state.items.find((one) => one.id === state.marked[0]);
  if (first !== undefined && first.batch !== item.batch) {
    return { ...state, message: 'only items of one step of one run go into one batch' };
  }
  if (state.marked.length === MAX_BATCH) {
    return { ...state, message: `a batch has at most ${MAX_BATCH} requests` };
  }
  const marked = new Set([...state.marked, item.id]);
  return move({ ...state, marked: state.items.flatMap(({ id }) => (marked.has(id) ? [id] : [])) }, 1);
}

function move(state: QueueState, by: number): QueueState {
  const { items } = state;
  const at = items.findIndex((item) => item.id === state.selected);
  const next = items[Math.max(0, Math.min(items.length - 1, at + by))];
  return { ...state, selected: next?.id ?? null };
}

function listed(state: QueueState, items: readonly QueueItem[]): QueueState {
  const ids = new Set(items.map((item) => item.id));
  const marked = state.marked.filter((id) => ids.has(id));
  if (state.selected !== null && ids.has(state.selected)) return { ...state, items, marked };
  // What was selected is gone: whoever stands in its place now.
  const at = state.items.findIndex((item) => item.id === state.selected);
  const next = items[Math.min(Math.max(0, at), items.length - 1)];
  // What is said when the list opens is about the request that is gone.
  const isOpening = state.selected === null || state.items.length === 0;
  const message = isOpening ? state.message : 'the request that was selected is decided or gone';
  return { ...state, items, marked, selected: next?.id ?? null, message, why: false };
}
