// A client of the real yaml-language-server over stdio: what an editor asks it, and nothing more.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export interface Problem {
  readonly message: string;
  readonly range: { readonly start: Position };
}

/** 0-based, as the protocol counts. */
export interface Position {
  readonly line: number;
  readonly character: number;
}

const SETTINGS = {
  yaml: {
    validate: true,
    completion: true,
    hover: true,
    schemaStore: { enable: false },
    kubernetesCRDStore: { enable: false },
  },
};

/** One server process; `close` ends it. */
export class LanguageServer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting = new Map<number | string, (message: Message) => void>();
  private readonly told: { readonly uri: string; readonly take: (problems: readonly Problem[]) => void }[] =
    [];
  private buffer = Buffer.alloc(0);
  private last = 0;

  constructor() {
    const main = createRequire(import.meta.url).resolve('yaml-language-server/bin/yaml-language-server');
    this.child = spawn(process.execPath, [main, '--stdio'], { stdio: 'pipe' });
    this.child.stdout.on('data', (bytes: Buffer) => {
      this.buffer = Buffer.concat([this.buffer, bytes]);
      this.read();
    });
    this.child.stderr.resume();
  }

  async open(): Promise<void> {
    await this.request('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {
        textDocument: {
          completion: { completionItem: { documentationFormat: ['markdown'] } },
          hover: { contentFormat: ['markdown'] },
        },
        workspace: { configuration: true },
      },
    });
    this.send({ method: 'initialized', params: {} });
    this.send({ method: 'workspace/didChangeConfiguration', params: { settings: SETTINGS } });
  }

  /** The problems of a new document. */
  problems(uri: string, text: string): Promise<readonly Problem[]> {
    const answer = new Promise<readonly Problem[]>((take) => {
      this.told.push({ uri, take });
    });
    const textDocument = { uri, languageId: 'yaml', version: 1, text };
    this.send({ method: 'textDocument/didOpen', params: { textDocument } });
    return answer;
  }

  /** Labels and their documentation. */
  async completions(uri: string, position: Position): Promise<ReadonlyMap<string, string>> {
    const result = await this.request('textDocument/completion', { textDocument: { uri }, position });
    const { items } = result as { items: { label: string; documentation?: string | { value: string } }[] };
    return new Map(
      items.map(({ label, documentation }) => [
        label,
        typeof documentation === 'object' ? documentation.value : (documentation ?? ''),
      ]),
    );
  }

  async hover(uri: string, position: Position): Promise<string> {
    const result = await this.request('textDocument/hover', { textDocument: { uri }, position });
    return JSON.stringify(result);
  }

  async close(): Promise<void> {
    await this.request('shutdown', null);
    const gone = once(this.child, 'exit');
    this.send({ method: 'exit' });
    await gone;
  }

  private request(method: string, params: unknown): Promise<unknown> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.send({ id, method, params });
    });
  }

  private send(message: Message): void {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    this.child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.child.stdin.write(body);
  }

  private read(): void {
    for (;;) {
      const end = this.buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.buffer.toString('ascii', 0, end))?.[1]);
      if (this.buffer.length < end + 4 + length) return;
      const body = this.buffer.toString('utf8', end + 4, end + 4 + length);
      this.buffer = this.buffer.subarray(end + 4 + length);
      this.take(JSON.parse(body) as Message);
    }
  }

  private take(message: Message): void {
    const { id, method, params } = message;
    if (method === undefined) {
      if (id !== undefined) this.waiting.get(id)?.(message);
    } else if (id !== undefined) {
      // What the server asks its client: settings, by section.
      const items = (params as { items?: { section: string }[] } | undefined)?.items ?? [];
      const result = items.map(({ section }) => (section === 'yaml' ? SETTINGS.yaml : null));
      this.send({ id, result: method === 'workspace/configuration' ? result : null });
    } else if (method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = params as { uri: string; diagnostics: readonly Problem[] };
      for (const one of this.told.splice(0)) {
        if (one.uri === uri) one.take(diagnostics);
        else this.told.push(one);
      }
    }
  }
}
