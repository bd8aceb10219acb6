// Package apply makes a plan's changes on a real host, proves them, and can take every one of them back.
//
//	plan ─► resolve (read-only) ─► journal: exact before ─► dead-man guard ─► write … write ─► settle ─► verify
//	                                    │                        │                                      │
//	                                    └──────── undo, in reverse order, whenever anything fails ◄─────┘
//
// The journal is the way back. It is a directory for each apply in the state directory:
//
//	STATE/lock                 one writer at a time
//	STATE/key                  the ed25519 key that signs records, mode 0600
//	STATE/journal/ID/plan.json     the plan, byte for byte
//	STATE/journal/ID/before.json   the host, and every place with its exact content before and after
//	STATE/journal/ID/steps         one line a step: CRC-32C, a space, JSON; appended and synced, never changed
//	STATE/journal/ID/reserve       room for the way back on a disk that fills up
//	STATE/journal/ID/proof-N.json  what verification found
//	STATE/journal/ID/record-N.json the signed change record
//
// The rules of the room:
//
//   - Nothing is written to a host before its exact content is in the journal, synced, together with the directory.
//   - Each write makes one place go from before to after in one step that cannot be seen half done, is durable when it
//     returns, and is read back. A process killed anywhere leaves each place before or after, and Recover finishes it.
//   - What is verified and, where that was asked for, confirmed in time stays. Everything else goes back.
//   - What somebody else changed since is not overwritten, unless told to; it is shown.
//   - Where clocks disagree, the safe side is to go back.
//   - A target is one file that implements Target; nothing else knows what a registry or smb.conf is.
package apply
