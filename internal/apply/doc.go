// Package apply makes a plan's changes on a real host, proves them, and can undo every one of them. It holds the types
// that its three subpackages share; none of these imports another:
//
//	apply          Target, Host, Place, State, Write, Evidence, Wait, and the errors that callers distinguish
//	apply/engine   goes forward and back: the journal, the dead-man guard, recovery, the signed records
//	apply/target   the hosts: Samba by smb.conf or its registry, Windows locally and remotely, the practice server
//	apply/verify   the proof from outside, and the checks that must work
//
// Helper packages are durable (files that are complete and on disk, or absent), private (files that no other account
// can write), program (system programs) and applytest (shared by the tests).
//
//	plan ─► resolve (read-only) ─► journal: exact before ─► dead-man guard ─► write … write ─► settle ─► verify
//	        target                 engine                   engine            target           target    verify
//	                                    │                        │                                      │
//	                                    └──────── undo, in reverse order, whenever anything fails ◄─────┘
//
// The rules:
//
//   - Nothing is written to a host before its exact content is in the journal and synced, together with the directory.
//   - Each write moves one place from before to after atomically, is durable when it returns, and is read back. A
//     process killed at any point leaves each place before or after, and Recover finishes the work.
//   - What is verified and, if requested, confirmed in time stays. Everything else is undone.
//   - What another process changed since is shown and not overwritten, unless the caller forces it.
//   - A journal is trusted only if no other account could have written it, and a place is restored only if the target
//     has a setting there.
//   - If clocks disagree, the safe choice is to undo.
//   - A target is one file that implements Target; nothing else knows what a registry or smb.conf is.
package apply
