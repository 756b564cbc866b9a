import './entry-bytes.test.js';
