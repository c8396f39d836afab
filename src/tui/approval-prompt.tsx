// One approval request on a terminal. Rules:
// - armed after 1,000 ms, with input before that discarded, and only while the terminal has the focus;
// - approve = read to the end, `a`, type the first 4 hex digits of the digest, Enter; y, Enter, space and paste
//   never approve; `d` and Enter denies; Escape or q leaves undecided;
// - nothing is cut, long lines wrap, "n more lines" is shown; words, never colour alone; 80x24 is enough;
// - a request that changes while it is open disarms; a decided or expired one can only be left;
// - with a screen reader: linear text once, no countdown, no redraw without a key.
// What the keys do is prompt-state.ts; the vote itself is checked again where it is recorded.
import { Box, Static, Text } from 'ink';
import { useEffect, useMemo, useReducer, useRef, useState, type ReactNode } from 'react';
import { revealHidden } from '../approval/display.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { PreviousSubject } from '../runtime/approval/previous-subject.js';
import type { ApprovalView } from '../runtime/writ.js';
import { approvalLines, closedText } from './approval-view.js';
import {
  isArmed,
  isSeen,
  openPromptState,
  reducePrompt,
  TYPED_DIGITS,
  type Answer,
  type PromptState,
} from './prompt-state.js';
import { wrapRows } from './rows.js';
import { differenceText } from './time-left.js';
import { useKeys, type PromptClock } from './use-keys.js';
import { useTerminalSize } from './use-size.js';

/** How often the request is read again and the countdown moves. */
export const REFRESH_MS = 1_000;
/** Above and below the rows of the request. Ink clears the whole terminal when a frame is as high, so one stays free. */
const FRAME_ROWS = 8;

export type { PromptClock } from './use-keys.js';

export interface ApprovalPromptProps {
  readonly view: ApprovalView;
  /** What is compared with it; null = nothing was asked for before. */
  readonly previous?: PreviousSubject | null;
  /** False: `e` says that it can't be changed here. */
  readonly canEdit?: boolean;
  /** Who decides here, shown before they do. */
  readonly approver: string;
  /** A reason given beforehand; null = asked for when the request requires one. */
  readonly reason: string | null;
  /** What to say first. */
  readonly message?: string | null;
  readonly clock: PromptClock;
  /** The request as it is stored now. */
  readonly refresh: () => Promise<ApprovalRecord>;
  readonly color: boolean;
  readonly screenReader: boolean;
  /** Called exactly once. */
  readonly onAnswer: (answer: Answer) => void;
}

export function ApprovalPrompt(props: ApprovalPromptProps): ReactNode {
  const { view, clock, screenReader, onAnswer } = props;
  const [record, setRecord] = useState(view.record);
  const layout = useLayout(props, record);
  const { rows, columns, height, shown } = layout;
  const [state, dispatch] = useReducer(reducePrompt, null, () =>
    openPromptState({
      digest: view.record.subjectDigest,
      reasonRequired: view.record.reasonRequired,
      reason: props.reason,
      expiresAtMs: view.record.expiresAtMs,
      rows: rows.length,
      height: shown,
      nowMs: clock.nowMs(),
      canEdit: props.canEdit ?? false,
      message: props.message ?? null,
    }),
  );
  const [nowMs, setNowMs] = useState(() => clock.nowMs());

  useLaidOut(layout, record.version, (fresh) =>
    dispatch({ type: 'laid-out', rows: rows.length, height: shown, fresh }),
  );
  useKeys((key) => {
    dispatch({ type: 'key', key, nowMs: clock.nowMs() });
  });
  useRefresh(props, record, {
    onTick(now) {
      if (!screenReader) setNowMs(now);
      dispatch({ type: 'ticked', nowMs: now });
    },
    onChanged(next, message) {
      setRecord(next);
      dispatch({ type: 'changed', message, nowMs: clock.nowMs() });
    },
    onClosed(message) {
      dispatch({ type: 'closed', message });
    },
  });
  const { answer } = state;
  useEffect(() => {
    if (answer !== null) onAnswer(answer);
  }, [answer, onAnswer]);

  if (screenReader)
    return <LinearPrompt rows={rows} state={state} approver={props.approver} record={record} />;
  return (
    <Box flexDirection="column">
      <Heading record={record} nowMs={nowMs} columns={columns} color={props.color} />
      <Box flexDirection="column" height={Math.min(height, rows.length)}>
        {rows.slice(state.top, state.top + height).map((row, at) => (
          <Text key={state.top + at}>{row}</Text>
        ))}
      </Box>
      <Position state={state} columns={columns} />
      <Field
        state={state}
        armed={isArmed(state, Math.max(nowMs, clock.nowMs()))}
        approver={props.approver}
        color={props.color}
        columns={columns}
      />
    </Box>
  );
}

interface Layout {
  /** All of the request. */
  readonly rows: readonly string[];
  readonly columns: number;
  /** Rows of it that a terminal has room for. */
  readonly height: number;
  /** Rows that are looked at together: all of them with a screen reader. */
  readonly shown: number;
}

function useLayout(
  { view, previous = null, screenReader }: ApprovalPromptProps,
  record: ApprovalRecord,
): Layout {
  const { columns, rows: most } = useTerminalSize();
  const height = Math.max(3, most - FRAME_ROWS);
  // Of a large input neither is made anew with every key and tick.
  const lines = useMemo(() => approvalLines({ ...view, record }, previous), [view, record, previous]);
  const rows = useMemo(
    () => (screenReader ? lines : wrapRows(lines, columns)),
    [screenReader, lines, columns],
  );
  return { rows, columns, height, shown: screenReader ? rows.length : height };
}

/** Tells when the rows have changed; `fresh`: they are others, and not just more or fewer at once. */
function useLaidOut({ rows, columns, shown }: Layout, version: number, tell: (fresh: boolean) => void): void {
  const now = { columns, version, rows: rows.length, shown };
  const laidOut = useRef(now);
  useEffect(() => {
    const last = laidOut.current;
    const fresh = last.columns !== columns || last.version !== version;
    if (!fresh && last.shown === shown && last.rows === rows.length) return;
    laidOut.current = now;
    tell(fresh);
  }, [columns, version, rows.length, shown]);
}

function Heading(props: {
  readonly record: ApprovalRecord;
  readonly nowMs: number;
  readonly columns: number;
  readonly color: boolean;
}): ReactNode {
  const { record, nowMs, columns, color } = props;
  return (
    <>
      <Box justifyContent="space-between" columnGap={2}>
        <Text bold={color}>Approval {record.id}</Text>
        <Text>{countdownText(record.expiresAtMs - nowMs)}</Text>
      </Box>
      <Text wrap="truncate">digest {record.subjectDigest}</Text>
      <Text>{'-'.repeat(columns)}</Text>
    </>
  );
}

function Position({ state, columns }: { readonly state: PromptState; readonly columns: number }): ReactNode {
  const last = Math.min(state.rows, state.top + state.height);
  const more = state.rows - last;
  const text = `lines ${state.top + 1}-${last} of ${state.rows}, ${more === 0 ? 'end' : `${more} more lines`} `;
  return <Text wrap="truncate">{text.padEnd(columns, '-')}</Text>;
}

function Field(props: {
  readonly state: PromptState;
  readonly armed: boolean;
  readonly approver: string;
  readonly color: boolean;
  readonly columns: number;
}): ReactNode {
  const { state, armed, approver, color, columns } = props;
  // Whoever types sees the end of what they have typed.
  const isTyped = state.stage === 'reason' || state.stage === 'confirm';
  return (
    <>
      <Text wrap="truncate">{state.message ?? (state.help ? HELP : ' ')}</Text>
      <Text bold={color} wrap={isTyped ? 'truncate-start' : 'truncate'}>
        {fieldText(state, armed, approver)}
      </Text>
      <Text wrap="truncate">{keysText(state, columns)}</Text>
    </>
  );
}

/** Everything in one pass; afterwards only the short part below changes, and only after a key. */
function LinearPrompt(props: {
  readonly rows: readonly string[];
  readonly state: PromptState;
  readonly record: ApprovalRecord;
  readonly approver: string;
}): ReactNode {
  const { rows, state, record, approver } = props;
  const text = [
    `Approval ${record.id}`,
    ...rows,
    'End of the request. Keys count from one second after opening.',
  ];
  return (
    <>
      <Static items={text}>{(row, at) => <Text key={at}>{row === '' ? ' ' : row}</Text>}</Static>
      {state.message !== null && <Text>{state.message}</Text>}
      {state.help && <Text>{HELP}</Text>}
      <Text>{fieldText(state, true, approver)}</Text>
      <Text>{keysText(state, Infinity)}</Text>
    </>
  );
}

/** At most 60 characters: it is shown on one line and must not be cut. */
const HELP = 'read to the end, a, first 4 hex digits, Enter: approves';

function fieldText(state: PromptState, armed: boolean, by: string): string {
  const approver = revealHidden(by);
  switch (state.stage) {
    case 'view':
      if (state.armAtMs === null) return 'this terminal is not focused; keys do not count';
      if (!armed) return 'keys do not count yet';
      return isSeen(state)
        ? `undecided; you are ${approver}`
        : `undecided; you are ${approver}; read to the end to approve`;
    case 'reason':
      return `reason to ${state.asked}: ${revealHidden(state.reason)}_`;
    case 'confirm':
      return `type the digest's first ${TYPED_DIGITS} hex digits, then Enter: ${state.typed}_`;
    case 'deny':
      return 'deny this request for good? Enter denies, other keys go back';
    case 'closed':
      return 'closed';
  }
}

/** 60 columns have room for the short form. */
const VIEW_KEYS = 'j/k move  PgUp/PgDn page  a approve  d deny  e edit  w why  ? help  q leave';
const SHORT_VIEW_KEYS = 'j/k PgUp/PgDn a approve d deny e edit w why ? help q leave';

function keysText(state: PromptState, columns: number): string {
  switch (state.stage) {
    case 'view':
      return columns < VIEW_KEYS.length ? SHORT_VIEW_KEYS : VIEW_KEYS;
    case 'reason':
    case 'confirm':
    case 'deny':
      return 'Escape leave undecided';
    case 'closed':
      return 'q leave';
  }
}

function countdownText(leftMs: number): string {
  return leftMs <= 0 ? 'expired' : `expires in ${differenceText(leftMs)}`;
}

/** Ticks, and reads the request again; a request that can't be read again is treated as closed. */
function useRefresh(
  props: Pick<ApprovalPromptProps, 'clock' | 'refresh'>,
  record: ApprovalRecord,
  on: {
    readonly onTick: (nowMs: number) => void;
    readonly onChanged: (record: ApprovalRecord, message: string) => void;
    readonly onClosed: (message: string) => void;
  },
): void {
  const { clock, refresh } = props;
  const latest = useRef({ record, on, refresh });
  latest.current = { record, on, refresh };
  useEffect(() => {
    let reading = false;
    let over = false;
    const judge = (next: ApprovalRecord): void => {
      const { record: known, on: tell } = latest.current;
      const closed = closedText(next);
      if (closed !== null) tell.onClosed(closed);
      else if (next.subjectDigest !== known.subjectDigest)
        tell.onClosed('this request was replaced; look at the new one');
      else if (next.version !== known.version)
        tell.onChanged(next, 'this request changed while you looked; read it again');
    };
    const read = async (): Promise<void> => {
      reading = true;
      try {
        const next = await latest.current.refresh();
        if (!over) judge(next);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (!over) latest.current.on.onClosed(`the request can't be read again: ${revealHidden(why)}`);
      } finally {
        reading = false;
      }
    };
    const stop = clock.every(REFRESH_MS, () => {
      latest.current.on.onTick(clock.nowMs());
      if (!reading) void read(); // its errors close the prompt
    });
    return () => {
      over = true;
      stop();
    };
  }, [clock]);
}
