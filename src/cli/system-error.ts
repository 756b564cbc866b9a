/** Failures of the file system as sentences with the fix. */

const fixes: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder: check the path',
  ENOTDIR: 'a part of the path is no folder: check the path',
  EISDIR: 'this is a folder: name a file',
  EACCES: 'no permission: check its mode, and those of the folders above it',
  EPERM: 'no permission: check its mode and its owner',
  EROFS: 'the file system is read-only: choose another folder',
  ENOSPC: 'no space left: free some',
  EMFILE: 'too many open files: raise the limit (ulimit -n)',
  ELOOP: 'symbolic links go round in a circle: check the path',
  ENAMETOOLONG: 'the path is too long: check it',
};

const listenFixes: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has this port: end it, or name another port (0 is any free one)',
  EACCES: 'no permission to take this port: name one from 1024 on',
  EADDRNOTAVAIL: 'this machine has no such address: check it',
};

/** The sentence about a failed system call, `undefined` for any other error. */
export function systemComplaint(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  if (syscall === 'listen') {
    const { address, port } = error as Error & { readonly address?: string; readonly port?: number };
    const fix = listenFixes[code] ?? `${code} at listen`;
    return `Can't listen on ${[address, port].filter((part) => part !== undefined).join(':') || 'a port'}: ${fix}`;
  }
  return `Can't use ${path ?? 'a file'}: ${fixes[code] ?? `${code} at ${syscall}`}`;
}
