// What the keys of the approval prompt do: pure, (state, event) -> state. What stays true:
// - nothing counts before the prompt is armed: 1,000 ms after it opened, got the focus back or changed; only Ctrl+C;
// - `approve` needs `a` after the last row was on the screen, then the first 4 hex digits of the digest typed one by
//   one, then Enter. No other key approves, pasted text never does;
// - `deny` needs `d`, then Enter; Escape leaves undecided on every screen; keys mean the same everywhere;
// - a request that was decided, withdrawn or has expired can only be left.
import type { Key } from './keys.js';

/** Input during this time after opening, focus or a change is discarded. */
export const ARMING_DELAY_MS = 1_000;
/** Hex digits of the subject digest that approve. */
export const TYPED_DIGITS = 4;
export const MAX_REASON = 500;

export type Answer =
  | { readonly decision: 'approve' | 'deny'; readonly reason: string | null }
  /** `edit`: the input is to be changed; what was shown stays undecided. */
  | { readonly decision: 'none'; readonly why: 'left' | 'changed' | 'interrupted' | 'edit' };

export type Stage = 'view' | 'reason' | 'confirm' | 'deny' | 'closed';

export interface PromptState {
  readonly stage: Stage;
  /** What the reason is asked for. */
  readonly asked: 'approve' | 'deny';
  readonly digest: string;
  readonly reasonRequired: boolean;
  readonly canEdit: boolean;
  readonly expiresAtMs: number;
  /** null = the terminal is not focused. */
  readonly armAtMs: number | null;
  readonly typed: string;
  readonly reason: string;
  readonly rows: number;
  readonly height: number;
  /** First row on the screen, 0-based. */
  readonly top: number;
  /** Rows 0..seen-1 have been on the screen. */
  readonly seen: number;
  readonly help: boolean;
  readonly message: string | null;
  readonly answer: Answer | null;
}

export type PromptEvent =
  | { readonly type: 'key'; readonly key: Key; readonly nowMs: number }
  /** `fresh`: the rows are other rows now (width or content), so none of them has been seen. */
  | { readonly type: 'laid-out'; readonly rows: number; readonly height: number; readonly fresh: boolean }
  | { readonly type: 'ticked'; readonly nowMs: number }
  /** Still pending, but not what it was: read it again. */
  | { readonly type: 'changed'; readonly message: string; readonly nowMs: number }
  | { readonly type: 'closed'; readonly message: string };

export function openPromptState(request: {
  readonly digest: string;
  readonly reasonRequired: boolean;
  readonly reason: string | null;
  readonly expiresAtMs: number;
  readonly rows: number;
  readonly height: number;
  readonly nowMs: number;
  /** Default: false. */
  readonly canEdit?: boolean;
  /** What is said until a key counts; default: nothing. */
  readonly message?: string | null;
}): PromptState {
  const { digest, reasonRequired, reason, expiresAtMs, rows, height, nowMs } = request;
  const state: PromptState = {
    stage: 'view',
    asked: 'approve',
    digest,
    reasonRequired,
    canEdit: request.canEdit ?? false,
    expiresAtMs,
    armAtMs: nowMs + ARMING_DELAY_MS,
    typed: '',
    reason: reason ?? '',
    rows,
    height,
    top: 0,
    seen: Math.min(rows, height),
    help: false,
    message: request.message ?? null,
    answer: null,
  };
  return expireWhenDue(state, nowMs);
}

export function isArmed(state: PromptState, nowMs: number): boolean {
  return state.armAtMs !== null && nowMs >= state.armAtMs;
}

export function isSeen(state: PromptState): boolean {
  return state.seen >= state.rows;
}

export function reducePrompt(state: PromptState, event: PromptEvent): PromptState {
  if (state.answer !== null) return state;
  switch (event.type) {
    case 'key':
      return onKey(expireWhenDue(state, event.nowMs), event.key, event.nowMs);
    case 'laid-out':
      return layOut(state, event.rows, event.height, event.fresh);
    case 'ticked':
      return expireWhenDue(state, event.nowMs);
    case 'changed':
      return state.stage === 'closed'
        ? state
        : { ...disarmed(state, event.nowMs + ARMING_DELAY_MS), message: event.message };
    case 'closed':
      return closed(state, event.message);
  }
}

function onKey(state: PromptState, key: Key, nowMs: number): PromptState {
  if (key.kind === 'interrupt') return answered(state, { decision: 'none', why: 'interrupted' });
  if (key.kind === 'focus-out') return disarmed(state, null);
  if (key.kind === 'focus-in') return disarmed(state, nowMs + ARMING_DELAY_MS);
  if (!isArmed(state, nowMs)) return state;
  if (key.kind === 'escape') return leave(state);
  switch (state.stage) {
    case 'view':
      return onViewKey({ ...state, message: null }, key);
    case 'reason':
      return onReasonKey({ ...state, message: null }, key);
    case 'confirm':
      return onConfirmKey({ ...state, message: null }, key);
    case 'deny':
      if (key.kind === 'enter') return answered(state, { decision: 'deny', reason: reasonOf(state) });
      return { ...state, stage: 'view', message: 'not denied' };
    case 'closed':
      return isText(key, 'q') ? leave(state) : scroll(state, key);
  }
}

function onViewKey(state: PromptState, key: Key): PromptState {
  if (isText(key, 'q')) return leave(state);
  if (isText(key, '?')) return { ...state, help: !state.help };
  if (isText(key, 'd')) return ask(state, 'deny');
  // Why it needs an approval stands at the top.
  if (isText(key, 'w')) return scrollTo(state, 0);
  if (isText(key, 'e')) {
    if (state.canEdit) return answered(state, { decision: 'none', why: 'edit' });
    return { ...state, message: "this can't be changed here; deny it, or leave it undecided" };
  }
  if (isText(key, 'a')) {
    if (isSeen(state)) return ask(state, 'approve');
    return { ...state, message: `not yet: ${state.rows - state.seen} more lines to read first` };
  }
  return scroll(state, key);
}

function ask(state: PromptState, asked: 'approve' | 'deny'): PromptState {
  const needsReason = state.reasonRequired && reasonOf(state) === null;
  const stage = needsReason ? 'reason' : asked === 'approve' ? 'confirm' : 'deny';
  return { ...state, stage, asked, typed: '', help: false };
}

function onConfirmKey(state: PromptState, key: Key): PromptState {
  switch (key.kind) {
    case 'text': {
      const digit = key.text.toLowerCase();
      if (!/^[0-9a-f]$/u.test(digit)) return { ...state, message: 'only hex digits' };
      return state.typed.length < TYPED_DIGITS ? { ...state, typed: state.typed + digit } : state;
    }
    case 'backspace':
      return { ...state, typed: state.typed.slice(0, -1) };
    case 'paste':
      return { ...state, message: 'pasted text is ignored; type the digits' };
    case 'enter':
      if (state.typed.length === TYPED_DIGITS && state.typed === state.digest.slice(0, TYPED_DIGITS)) {
        return answered(state, { decision: 'approve', reason: reasonOf(state) });
      }
      return { ...state, typed: '', message: 'that is not how the digest begins' };
    case 'up':
    case 'down':
    case 'page-up':
    case 'page-down':
    case 'escape':
    case 'interrupt':
    case 'focus-in':
    case 'focus-out':
    case 'other':
      return state;
  }
}

function onReasonKey(state: PromptState, key: Key): PromptState {
  switch (key.kind) {
    case 'text':
    case 'paste':
      // Line ends and other controls of pasted text become spaces.
      return { ...state, reason: cutReason(`${state.reason}${key.text.replace(/\p{Cc}+/gu, ' ')}`) };
    case 'backspace':
      return { ...state, reason: [...state.reason].slice(0, -1).join('') };
    case 'enter':
      if (reasonOf(state) === null) return { ...state, message: 'a reason is required' };
      if (state.asked === 'approve') return { ...state, stage: 'confirm', typed: '' };
      return answered(state, { decision: 'deny', reason: reasonOf(state) });
    case 'up':
    case 'down':
    case 'page-up':
    case 'page-down':
    case 'escape':
    case 'interrupt':
    case 'focus-in':
    case 'focus-out':
    case 'other':
      return state;
  }
}

function scroll(state: PromptState, key: Key): PromptState {
  if (key.kind === 'down' || isText(key, 'j')) return scrollTo(state, state.top + 1);
  if (key.kind === 'up' || isText(key, 'k')) return scrollTo(state, state.top - 1);
  if (key.kind === 'page-down') return scrollTo(state, state.top + state.height);
  if (key.kind === 'page-up') return scrollTo(state, state.top - state.height);
  return state;
}

function scrollTo(state: PromptState, row: number): PromptState {
  const top = Math.max(0, Math.min(row, state.rows - state.height));
  // A step is never longer than the screen, so the seen rows have no hole.
  return { ...state, top, seen: Math.max(state.seen, Math.min(state.rows, top + state.height)) };
}

function layOut(state: PromptState, rows: number, height: number, fresh: boolean): PromptState {
  const next = { ...state, rows, height, seen: fresh ? 0 : Math.min(state.seen, rows) };
  return scrollTo(next, fresh ? 0 : Math.min(state.top, next.seen));
}

/** Back to reading; what was typed is gone. */
function disarmed(state: PromptState, armAtMs: number | null): PromptState {
  if (state.stage === 'closed') return { ...state, armAtMs };
  return { ...state, stage: 'view', typed: '', armAtMs, help: false };
}

function closed(state: PromptState, message: string): PromptState {
  return { ...state, stage: 'closed', typed: '', help: false, message };
}

/** At the border, `now >= expiresAt` is expired. */
function expireWhenDue(state: PromptState, nowMs: number): PromptState {
  if (state.stage === 'closed' || nowMs < state.expiresAtMs) return state;
  return closed(state, 'this request has expired; nobody can approve it any more');
}

function leave(state: PromptState): PromptState {
  return answered(state, { decision: 'none', why: state.stage === 'closed' ? 'changed' : 'left' });
}

function answered(state: PromptState, answer: Answer): PromptState {
  return { ...state, answer };
}

/** Never in the middle of a character: half of one is no text that could be recorded. */
function cutReason(text: string): string {
  const cut = text.slice(0, MAX_REASON);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

function reasonOf(state: PromptState): string | null {
  const reason = state.reason.trim();
  return reason === '' ? null : reason;
}

function isText(key: Key, text: string): boolean {
  return key.kind === 'text' && key.text === text;
}
