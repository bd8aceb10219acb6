// Package store keeps what the fleet remembers: targets, hosts, runs, results, history, findings, accounts. It is
// SQL for SQLite and PostgreSQL and nothing else: what a result means is the fleet's to say.
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
//	                        └── rollout_hosts ─► rollouts                one plan for many hosts: groups with the same changes,
//	                              rollout_groups, _sets, _stops          the findings that these close, what they would stop
//
// Rules of the room:
//
//   - A host's row is its present state and nothing else; lists, filters and counts read only it and its posture. Hosts that look
//     alike share a snapshot and a posture, so 50,000 hosts are counted by a few hundred rows.
//   - [Queries.RecordResults] is one transaction in which a unit becomes done and everything that follows from its result
//     is written. A unit that is done takes no second result: whoever was killed or is not sure says it again.
//   - What a group of results needs to know is read at its beginning, and what they write is written at its end, in a few statements
//     for all of them; a new host or another finding is written at once. See known and recorder.
//   - Counters of runs and the trend are sums over rows of their own for each worker (shard), so workers do not wait
//     for each other. The trend holds changes a day; a point is the sum of what came before.
//   - Both databases answer alike: the same statements, text compared by its bytes, times in Unix microseconds (0 is never).
//   - Every list is paged, sorted by columns of a fixed list alone, and searched with escaped patterns.
package store
