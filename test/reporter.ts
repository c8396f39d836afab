// The closing lines of a test run: every skipped test by its title (the reason is in it), then, last of all and in
// one fixed form, `N passed, N failed` with `, N skipped` when there are some. A run that did not go well never says
// `0 failed`: a file that doesn't load, an unhandled error, a crash and a run without tests count as failures.
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  readonly #skipped: string[] = [];
  #passed = 0;
  #failed = 0;
  #ended = false;

  constructor() {
    // At exit, so that nothing else of the run is printed after it.
    process.once('exit', (code) => this.#print(code));
  }

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (state === 'passed') this.#passed += 1;
    else if (state === 'skipped') this.#skipped.push(`${test.module.relativeModuleId} > ${test.fullName}`);
    else this.#failed += 1;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.#ended = true;
    this.#failed += unhandled.length;
    for (const module of modules) {
      this.#failed += module.errors().length;
      for (const suite of module.children.allSuites()) this.#failed += suite.errors().length;
    }
  }

  #print(code: number): void {
    const ran = this.#passed + this.#failed > 0;
    if (this.#failed === 0 && (!this.#ended || !ran || code !== 0)) this.#failed = 1;
    if (this.#failed > 0 && code === 0) process.exitCode = 1;
    const lines = this.#skipped.map((title) => `skipped: ${title}`);
    const counts = [`${this.#passed} passed`, `${this.#failed} failed`];
    if (this.#skipped.length > 0) counts.push(`${this.#skipped.length} skipped`);
    process.stdout.write([...lines, counts.join(', ')].join('\n') + '\n');
  }
}
