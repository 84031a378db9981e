import { spawn } from 'node:child_process';
import type { Command } from './broker/types';

export interface CommandResult {
  /** Exit code; 127 when the program could not be started, 124 when the time limit ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv;
  /** Ends the program, ms. */
  timeoutMs?: number;
}

export type RunCommand = (command: Command, options?: CommandOptions) => Promise<CommandResult>;

/** Runs a program to its end with no input. Never rejects: what went wrong is in the code. */
export const runCommand: RunCommand = ([program, ...args], { env, timeoutMs } = {}) =>
  new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr, late] = ['', '', false];
    const timer = timeoutMs && setTimeout(() => (late = child.kill('SIGKILL')), timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const done = (code: number, error = '') => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : code, stdout, stderr: stderr + error });
    };
    child.on('error', (error) => done(127, error.message));
    child.on('close', (code) => done(code ?? 1));
  });
