import './cache-threads.test.js';
