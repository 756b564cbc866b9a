/** A web page that shows what a cache does, for a server of your own. */

export { type Dashboard, type DashboardOptions, dashboard } from './dashboard.js';
