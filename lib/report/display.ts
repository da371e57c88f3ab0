/** The running notebook: what a cell can show, and whether the user has interrupted it. The kernel (jupyter/kernel.cjs) provides it. */
import { randomBytes } from 'node:crypto';

/** Contents by MIME type; a program that shows the notebook picks the richest that it can display. */
export interface Bundle {
  data: Record<string, unknown>;
  metadata?: Record<string, unknown>;
}

interface Kernel {
  display(content: object, update: boolean): void;
  /** Whether the cell that the calling code was started from has been interrupted. */
  interrupted(): boolean;
}

const kernel = (): Kernel | undefined =>
  (globalThis as Record<symbol, unknown>)[Symbol.for('memorization-notebooks.kernel')] as Kernel | undefined;

/** One output of a cell, replaced in place at each `show` after the first. Outside a notebook nothing is shown. */
export class Display {
  private readonly id = randomBytes(8).toString('hex');
  private shown = false;

  show({ data, metadata = {} }: Bundle): void {
    kernel()?.display({ data, metadata, transient: { display_id: this.id } }, this.shown);
    this.shown = true;
  }
}

/**
 * Await it in long loops: it lets an interrupt in, and then throws.
 * Trap: without it an interrupted cell reports its end while its loop goes on in the background.
 */
export async function tick(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (kernel()?.interrupted()) throw new Error('interrupted by the user');
}

/** Text that is safe inside HTML. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
