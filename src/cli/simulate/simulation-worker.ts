/** A thread that simulates one job after the other, as it is asked. */

import { parentPort, workerData } from 'node:worker_threads';
import type { AccessTrace } from './access-trace.js';
import { type Job, jobRunner } from './job.js';

const run = jobRunner(workerData as AccessTrace);
parentPort?.on('message', (job: Job) => parentPort?.postMessage(run(job)));
