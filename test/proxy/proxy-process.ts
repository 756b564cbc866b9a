/** Proxies in processes of their own, which listen. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const children: ChildProcess[] = [];

/** Starts a program. */
export function start(args: readonly string[], env = {}): ChildProcess {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

/** What a program says to standard error, once it says that. */
export async function said(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of child.stderr!.setEncoding('utf8')) {
    text += chunk;
    const found = pattern.exec(text)?.[1];
    if (found !== undefined) {
      child.stderr!.resume();
      return found;
    }
  }
  throw new Error(`Expected ${pattern}, got ${text}`);
}

/** Ends a program, if it has not ended. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** Ends all. */
export async function endAll(): Promise<void> {
  for (const child of children.splice(0)) await end(child);
}
