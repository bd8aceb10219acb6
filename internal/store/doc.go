// Package store is the fleet's database: targets, hosts, runs, results, history, findings, accounts. It contains only
// SQL for SQLite and PostgreSQL: what a result means is decided by package fleet.
//
//	sites ◄── targets ──► hosts ◄── addresses, host_names, host_tags     what was named, what answered
//	  ▲         ▲           ▲ ▲
//	  │       units ─► runs │ ├── results ──► snapshots                  one row a result: who, when, verdict
//	  │                 ▲   │ ├── spans ────► snapshots                  runs of equal snapshots, for each kind
//	  │         run_counts  │ ├── documents                              the last two of a kind, zstd
//	  │                     │ ├── findings ─► setting_sets, exceptions   open ones (ended = 0) and history
//	  │                     │ ├── logons                                 who comes in how, as last observed
//	trend                   │ └── events
//	                        ├──► postures ─► posture_findings            findings of hosts that look alike, counted once
//	                        └── rollout_hosts ─► rollouts                one plan for many hosts: groups of equal
//	                              rollout_groups, _sets, _stops          changes, findings they close, uses they stop
//
// Rules of the room:
//
//   - A host's row is only its current state; lists, filters and counts read only it and its posture. Hosts that look
//     alike share a snapshot and a posture, so 50,000 hosts are counted with a few hundred rows. SQLite keeps the
//     numbers of hosts that are alike with triggers, see counting; they follow every statement on hosts.
//   - [Queries.RecordResults] is one transaction in which a unit becomes done and everything that follows from its
//     result is written. A done unit accepts no second result: a caller that was killed or is not sure repeats the
//     call.
//   - What a group of results needs is read at its start, and what they write is written at its end, with a few
//     statements for all of them; a new host or a different finding is written at once. See known and recorder.
//   - Counters of runs and the trend are sums over separate rows for each worker (shard), so workers do not wait for
//     each other. The trend stores changes per day; a point is the sum of the preceding ones.
//   - Both databases give the same results: the same statements, text compared by bytes, times in Unix microseconds (0
//     is never).
//   - Every list is paged, sorted only by columns of a fixed list, and searched with escaped patterns.
package store
