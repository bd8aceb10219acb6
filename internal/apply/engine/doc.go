// Package engine makes the writes of an apply and takes them back. It knows places and their states, and no kind of host.
//
// The journal is the way back. It is a directory for each apply in the state directory:
//
//	STATE/lock                     one writer at a time
//	STATE/key                      the ed25519 key that signs records; the seal's key is derived from it
//	STATE/ledger                   how far each journal has come: a code, then JSON; replaced after each step
//	STATE/journal/ID/plan.json     the plan, byte for byte
//	STATE/journal/ID/before.json   the host, and every place with its exact content before and after
//	STATE/journal/ID/steps         one line a step: a code, a space, JSON; appended and synced, never changed
//	STATE/journal/ID/reserve       room for the way back on a disk that fills up
//	STATE/journal/ID/proof-N.json  what verification found; a step has its SHA-256
//	STATE/journal/ID/record-N.json the signed change record; the same
//	STATE/guard/ID.lock, ID.log    held and written by the guard of an apply
//	STATE/refused                  journals that were set aside
//
// Everything of a journal is under a keyed code over its content and place: see seal. What does not fit, and what others
// than this account could have written, is refused before anything is opened; see package private.
//
// The guard is a process of its own that waits for the confirmation, and takes an apply back when none comes in time or
// when the process that applies has died.
package engine
