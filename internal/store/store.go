// Package store keeps what the fleet remembers: targets, hosts, runs, results, history, findings, accounts. It is
// SQL for SQLite and PostgreSQL and nothing else: what a result means is the fleet's to say.
package store
