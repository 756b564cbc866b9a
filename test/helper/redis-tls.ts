/** A certificate of one's own for servers on this machine. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class RedisCertificate {
  readonly path: string;
  readonly ca: Buffer;
  readonly #folder = mkdtempSync(join(tmpdir(), 'toolstash-tls-'));
  readonly #key: string;

  constructor() {
    this.#key = join(this.#folder, 'key.pem');
    this.path = join(this.#folder, 'cert.pem');
    const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
    const files = ['-keyout', this.#key, '-out', this.path];
    const subject = ['-subj', '/CN=localhost', '-addext', names];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
    execFileSync('openssl', [...request, ...files, ...subject], { stdio: 'ignore' });
    this.ca = readFileSync(this.path);
  }

  /** What makes a server listen for TLS on a port. */
  argsFor(port: number): string[] {
    const files = [
      '--tls-cert-file',
      this.path,
      '--tls-key-file',
      this.#key,
      '--tls-ca-cert-file',
      this.path,
    ];
    return ['--tls-port', String(port), ...files, '--tls-auth-clients', 'no'];
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
