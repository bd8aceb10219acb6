// Package engine performs and undoes the writes of an apply. It knows places and their states, and no kind of host.
//
// The journal records how to undo an apply. Each apply has a directory in the state directory:
//
//	STATE/lock                     one writer at a time
//	STATE/key                      the ed25519 key that signs records; the seal's key is derived from it
//	STATE/ledger                   how far each journal has come: a code, then JSON; replaced after each step
//	STATE/journal/ID/plan.json     the plan, byte for byte
//	STATE/journal/ID/before.json   the host, and every place with its exact content before and after
//	STATE/journal/ID/steps         one line a step: a code, a space, JSON; appended and synced, never changed
//	STATE/journal/ID/reserve       reserved disk space for the undo
//	STATE/journal/ID/proof-N.json  the result of a verification; a step has its SHA-256
//	STATE/journal/ID/record-N.json the signed change record; a step has its SHA-256
//	STATE/guard/ID.lock, ID.log    held and written by the guard of an apply
//	STATE/refused                  journals that were set aside
//
// A keyed code covers the content and path of everything in a journal: see seal. Content that does not match its code,
// and files that other accounts could have written, are refused before anything is opened; see package private.
//
// The guard is a separate process that waits for the confirmation. It undoes an apply if the confirmation does not come
// in time or if the applying process dies.
package engine
