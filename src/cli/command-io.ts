/** Where a command writes to. */
export interface CommandIo {
  /** Results. */
  readonly stdout: NodeJS.WriteStream;
  /** Progress and complaints. */
  readonly stderr: NodeJS.WriteStream;
}
