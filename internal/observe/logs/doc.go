// Package logs reads what hosts wrote down themselves: Windows event logs, exported and forwarded ones, and Samba's audit
// records. It joins them in the same rows as traffic.
//
//	EVTX, XML, JSON ──► winEvent ──► windowsLog ──► logonJoin ──► observe.Aggregator
//	Samba's JSON, full_audit, smbstatus ──► sambaLog ──────────►
//
// Rules of the room:
//
//   - A record is read in whichever form it comes; what it means is decided in one place for all forms.
//   - Most logs cannot hold every event. What a log could not show is noted in the coverage.
//   - Records may be forged by whoever is logged: texts are cut, tables are bounded, and no record is trusted for a length.
package logs
