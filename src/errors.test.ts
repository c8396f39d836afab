// The error reference and the code say the same, every code can happen, and an error shows no more than it should.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, type ErrorKind, ERRORS, errorName, isErrorCode, WritError } from './errors.js';

const SRC = fileURLToPath(new URL('.', import.meta.url));

interface Row {
  readonly code: string;
  readonly kind: string;
  readonly exit: string;
  readonly name: string;
  readonly cause: string;
  readonly cure: string;
}

/** The tables of errors.md; head and ruler are the lines that name no code. */
const rows: readonly Row[] = readFileSync(join(SRC, 'errors.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [before, code = '', kind = '', exit = '', name = '', cause = '', cure = '', ...after] = cells;
    expect([before, ...after], line).toEqual(['', '']);
    return { code: code.replaceAll('`', ''), kind, exit, name, cause, cure };
  });

const known: readonly {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly exit: number;
  readonly name?: string;
}[] = Object.entries(ERRORS).map(([code, entry]) => ({ code, ...entry }));

const ofKind = (kind: ErrorKind) => known.filter((one) => one.kind === kind);

describe('the error reference', () => {
  it('has every code once and no other', () => {
    expect(rows.map((row) => row.code).toSorted()).toEqual(known.map((one) => one.code).toSorted());
  });

  it.each(rows)('says of $code what the code says', ({ code, kind, exit, name }) => {
    const { kind: ofCode, exit: exitOfCode, name: nameOfCode } = known.find((one) => one.code === code) ?? {};
    expect({ kind, exit, name }).toEqual({
      kind: ofCode,
      exit: String(exitOfCode),
      name: nameOfCode ?? '-',
    });
  });

  it.each(rows)('gives $code a cause and a cure in the style of messages', ({ cause, cure }) => {
    // A name such as `tool::wasm` keeps its spelling; a sentence begins in lower case and has no full stop.
    for (const text of [cause, cure]) expect(text).toMatch(/^[a-z`].{6,}[^.\s]$/);
  });
});

describe('exit codes', () => {
  it('are those of a command that failed', () => {
    // 0 is success, 10 a run that waits, 130 and 143 a signal: no error has those.
    const allowed = [1, 2, 3, 4, 5, 6];
    expect(known.filter((one) => !allowed.includes(one.exit))).toEqual([]);
  });

  it('are 2 for documents, and 1 where only a run under way can show the fault', () => {
    const late = ['FUNCTION_REQUEST_INVALID', 'STEP_TEMPLATE_UNRESOLVED'];
    const unlike = ofKind('document').filter((one) => one.exit !== (late.includes(one.code) ? 1 : 2));
    expect(unlike).toEqual([]);
  });

  it('are 3 or 4 for refusals', () => {
    expect(ofKind('refusal').filter((one) => one.exit !== 3 && one.exit !== 4)).toEqual([]);
  });

  it('are 1 or 6 for failures', () => {
    expect(ofKind('failure').filter((one) => one.exit !== 1 && one.exit !== 6)).toEqual([]);
  });

  it('are 5 or 6 for fatal errors, but 1 for a defect of our own', () => {
    // INTERNAL says nothing of log, store or machine: 5 would claim that verification failed, 6 that something is missing.
    const unlike = ofKind('fatal').filter((one) => one.exit !== 5 && one.exit !== 6);
    expect(unlike.map((one) => [one.code, one.exit])).toEqual([['INTERNAL', 1]]);
  });
});

/** Every quoted code in the source that makes an error: not a type, a comparison, a `case` or an item of a list. */
function codesMade(): ReadonlySet<string> {
  const made = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && isErrorCode(node.text) && makesError(node.parent)) made.add(node.text);
    ts.forEachChild(node, visit);
  };
  for (const path of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(path) || /\.test\.tsx?$/.test(path) || path === 'errors.ts') continue;
    visit(ts.createSourceFile(path, readFileSync(join(SRC, path), 'utf8'), ts.ScriptTarget.Latest, true));
  }
  return made;
}

function makesError(parent: ts.Node): boolean {
  if (ts.isBinaryExpression(parent)) {
    const operator = parent.operatorToken.kind;
    return (
      operator !== ts.SyntaxKind.EqualsEqualsEqualsToken &&
      operator !== ts.SyntaxKind.ExclamationEqualsEqualsToken
    );
  }
  return !ts.isLiteralTypeNode(parent) && !ts.isCaseClause(parent) && !ts.isArrayLiteralExpression(parent);
}

describe('every code', () => {
  it('is given to an error somewhere in the source', () => {
    const made = codesMade();
    expect(known.map((one) => one.code).filter((code) => !made.has(code))).toEqual([]);
  });

  it('belongs to an area of the architecture, or to the command line', () => {
    const area =
      /^(?:DOC|POLICY|CEILING|APPROVAL|TASK|SANDBOX|FUNCTION|STEP|RUN|AUDIT|STORE|SECRET|CONFIG|INTEGRITY)_/;
    const others = known.map((one) => one.code).filter((code) => !area.test(code));
    expect(others).toEqual(['INPUT_INVALID', 'USAGE', 'NOT_FOUND', 'NOT_INITIALISED', 'INTERNAL']);
  });

  it('without a name of its own is States.TaskFailed to a workflow', () => {
    const isNamed = ({ code, name }: { code: string; name?: string }) =>
      isErrorCode(code) && errorName(code) === (name ?? 'States.TaskFailed');
    expect(known.filter((one) => !isNamed(one))).toEqual([]);
  });
});

describe('an error as JSON', () => {
  const secret = 'hunter2';
  const cause = new Error(`connect with ${secret}`);

  it('holds code, message, hint and details and nothing else', () => {
    const details = { size: 3 };
    const error = new WritError('STORE_IO', 'reading failed', { hint: 'check the disk', details, cause });
    expect(error.toJSON()).toStrictEqual({
      code: 'STORE_IO',
      message: 'reading failed',
      hint: 'check the disk',
      details,
    });
  });

  it('leaves absent fields out', () => {
    expect(Object.keys(new WritError('USAGE', 'a command is missing').toJSON())).toEqual(['code', 'message']);
  });

  it('shows neither the cause nor the stack, nor what somebody hung on it', () => {
    const error = Object.assign(new WritError('STORE_IO', 'reading failed', { cause }), { payload: secret });
    expect(error.cause).toBe(cause);
    expect(JSON.parse(JSON.stringify(error))).toEqual({ code: 'STORE_IO', message: 'reading failed' });
  });

  it.each<[ErrorCode, ErrorKind, number]>([
    ['DOC_SYNTAX', 'document', 2],
    ['APPROVAL_DENIED', 'refusal', 4],
    ['SANDBOX_UNAVAILABLE', 'failure', 6],
    ['AUDIT_FORK', 'fatal', 5],
  ])('%s is %s with exit code %i', (code, kind, exit) => {
    const error = new WritError(code, 'what and where');
    expect([error.kind, error.exitCode]).toEqual([kind, exit]);
  });
});
