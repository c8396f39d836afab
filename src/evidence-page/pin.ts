// What the reader pins: a vkey or a tlog-policy, typed, pasted, dropped, chosen as a file or given in the page's
// address. Nothing is remembered, and nothing is taken from the evidence.
import { parsePolicy } from '../audit/tlog-policy.js';
import { parseVkey } from '../audit/vkey.js';
import { WritError } from '../errors.js';
import { element } from './element.js';
import type { Pin } from './verdict.js';

/** The options for the verifier, and the words about them. */
export interface Pinned extends Pin {
  readonly vkeys?: readonly string[];
  readonly policy?: string;
}

const MAX_PIN_CHARS = 65_536;

/**
 * The keys in `text`: a policy when it has a `quorum` line, else one vkey a line. Throws AUDIT_KEY_INVALID or
 * AUDIT_POLICY_INVALID with what is wrong.
 */
function readPin(text: string, from: string): Pinned {
  if (text.length > MAX_PIN_CHARS) {
    throw new WritError('AUDIT_KEY_INVALID', 'this is too long for a key or a policy');
  }
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines.some((line) => /^(?:quorum|log|witness|group)\s/.test(line))) {
    const policy = `${lines.join('\n')}\n`;
    const { logs } = parsePolicy(policy);
    if (logs.length === 0) {
      throw new WritError('AUDIT_KEY_INVALID', 'this policy names no log: give the key of the log');
    }
    return { policy, keys: logs.map(({ key }) => `${key.name}+${key.keyId}`), from };
  }
  const vkeys = lines.filter((line) => !line.startsWith('#'));
  if (vkeys.length === 0) throw new WritError('AUDIT_KEY_INVALID', 'there is no key in this');
  const keys = vkeys.map((vkey) => {
    const key = parseVkey(vkey);
    if (key.type !== 1) throw new WritError('AUDIT_KEY_INVALID', `${key.name} is the key of a witness`);
    return `${key.name}+${key.keyId}`;
  });
  return { vkeys, keys, from };
}

/**
 * The pin in the page's address, `#vkey=…`, as it is printed (a `+` is a `+`) or percent-encoded; null when there is
 * none.
 */
export function addressPin(hash: string): string | null {
  const [, text] = /^#vkey=(.*)$/su.exec(hash) ?? [];
  if (text === undefined) return null;
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded: as it is, it is no key, and the form says so.
    return text;
  }
}

/**
 * The form; `onPin` gets what was read, at once what the page's address gives, and null when that is nothing, or when
 * the reader takes it back. It throws what can't be used.
 */
export function pinForm(onPin: (pinned: Pinned | null) => void, address: string | null): HTMLElement {
  const input = element('textarea', { id: 'pin', 'aria-describedby': 'pin-help pin-problem' });
  input.rows = 3;
  input.spellcheck = false;
  input.autocapitalize = 'off';
  input.placeholder = 'audit.example.com/claims+1a2b3c4d+A…';
  const problem = element('p', { id: 'pin-problem', class: 'problem', role: 'alert' });
  const file = element('input', { type: 'file', id: 'pin-file', class: 'unseen' });
  const check = element(
    'button',
    { type: 'button', class: 'primary', id: 'pin-check' },
    'Check with this key',
  );
  const choose = element('button', { type: 'button' }, 'Choose a file…');
  const forget = element('button', { type: 'button' }, 'Forget the key');

  const use = (text: string, from: string): void => {
    try {
      onPin(readPin(text, from));
      problem.replaceChildren();
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      onPin(null);
      problem.replaceChildren(error.message);
    }
  };
  const read = (files: FileList | null | undefined): void => {
    const [chosen] = files ?? [];
    if (chosen === undefined) return;
    if (chosen.size > MAX_PIN_CHARS) {
      problem.replaceChildren('this file is too large for a key or a policy');
      return;
    }
    void chosen.text().then(
      (text) => {
        input.value = text.trim();
        use(text, `from the file ${chosen.name}`);
      },
      () => {
        problem.replaceChildren(`the file ${chosen.name} can not be read`);
      },
    );
  };
  check.addEventListener('click', () => {
    use(input.value, 'typed in');
  });
  choose.addEventListener('click', () => {
    file.click();
  });
  file.tabIndex = -1;
  file.setAttribute('aria-label', 'File with a key or a policy');
  file.addEventListener('change', () => {
    read(file.files);
  });
  forget.addEventListener('click', () => {
    input.value = '';
    problem.replaceChildren();
    onPin(null);
    input.focus();
  });
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
  });
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    const text = event.dataTransfer?.getData('text/plain') ?? '';
    if (text === '') return read(event.dataTransfer?.files);
    input.value = text;
    use(text, 'dropped here');
  });
  if (address === null) onPin(null);
  else use(address, "from this page's address");
  return element(
    'section',
    { class: 'pin', 'aria-labelledby': 'pin-heading' },
    element('h2', { id: 'pin-heading' }, 'Whose log is it?'),
    element(
      'p',
      { id: 'pin-help' },
      'Paste the key of the log (its vkey) or a tlog-policy, or drop the file here. Take it from a source other than this file: your own records, the keeper of the log by phone, a printed certificate. A key that came with the file proves nothing.',
    ),
    element('label', { for: 'pin' }, 'Key or policy'),
    input,
    problem,
    element('div', { class: 'buttons' }, check, choose, forget, file),
  );
}
