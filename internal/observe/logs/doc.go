// Package logs reads what hosts have logged: Windows event logs, exported and forwarded ones, and Samba's audit
// records. It makes the same rows as traffic.
//
//	EVTX, XML, JSON ──► winEvent ──► windowsLog ──► logonJoin ──► observe.Aggregator
//	Samba's JSON, full_audit, smbstatus ──► sambaLog ──────────►
//
// The rules of this package:
//
//   - A record is accepted in many forms; what it means is decided in one place for all of them.
//   - Most logs cannot contain every event. What a log could not show is noted in the coverage.
//   - Clients can forge records: texts are cut, tables are bounded, and no length in a record is trusted.
package logs
