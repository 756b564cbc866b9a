import './threads.test.js';
