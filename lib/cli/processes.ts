/** processes.cjs with its types: TypeScript's side of set-up uses the same functions as the side that runs before it. */
export interface LoggedOptions {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** File that receives everything the program prints. */
  log: string;
  limitSeconds?: number;
}

interface Processes {
  logged(program: string, args: string[], options: LoggedOptions): Promise<{ code: number; output: string }>;
  endAll(): void;
  exitCode(code: number | null, signal: NodeJS.Signals | null): number;
  failureLine(step: string, output: string, log: string): string;
}

export const { logged, endAll, exitCode, failureLine } = require('./processes.cjs') as Processes;
