import './cache-aside-processes.slow.test.js';
