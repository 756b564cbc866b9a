import './stripe.test.js';
