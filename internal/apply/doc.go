// Package apply makes a plan's changes on a real host, proves them, and can take every one of them back. It holds the nouns
// that its three rooms share; none of them knows the others:
//
//	apply          Target, Host, Place, State, Write, Evidence, Wait, and the errors that callers tell apart
//	apply/engine   goes forward and back: the journal, the dead-man guard, recovery, the signed records
//	apply/target   the hosts: Samba by smb.conf or its registry, Windows here and from afar, the practice server
//	apply/verify   the proof from outside, and the checks that must work
//
// Below them lie durable (files that are whole and on disk, or not there), private (those that nobody else can write), program
// (programs of the system) and applytest (what the tests share).
//
//	plan ─► resolve (read-only) ─► journal: exact before ─► dead-man guard ─► write … write ─► settle ─► verify
//	        target                 engine                   engine            target           target    verify
//	                                    │                        │                                      │
//	                                    └──────── undo, in reverse order, whenever anything fails ◄─────┘
//
// The rules:
//
//   - Nothing is written to a host before its exact content is in the journal, synced, together with the directory.
//   - Each write makes one place go from before to after in one step that cannot be seen half done, is durable when it
//     returns, and is read back. A process killed anywhere leaves each place before or after, and Recover finishes it.
//   - What is verified and, where that was asked for, confirmed in time stays. Everything else goes back.
//   - What somebody else changed since is not overwritten, unless told to; it is shown.
//   - What is read back to be restored is believed only where nobody else could have written it, and is restored only where the
//     target has a setting.
//   - Where clocks disagree, the safe side is to go back.
//   - A target is one file that implements Target; nothing else knows what a registry or smb.conf is.
package apply
