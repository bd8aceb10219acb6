package store

import "reflect"

// counting is what hosts are counted from: host_counts, which SQLite keeps with triggers (see its migration), or the
// hosts themselves, where a filter asks for more. PostgreSQL counts the hosts: it does so quickly, and its many writers
// would wait for each other at common counters.
type counting struct {
	*where
	from  string // a table h with the columns that counted filters need
	hosts string // the number of hosts of a group
}

func (q *Queries) counting(f HostFilter) counting {
	if q.pg || !f.counted() {
		return counting{f.where(q.pg), "hosts h", "count(*)"}
	}
	return counting{f.append(&where{}), "host_counts h", "sum(h.hosts)"}
}

// counted reports whether a filter asks for nothing but what host_counts distinguishes.
func (f HostFilter) counted() bool {
	f.Within, f.Site, f.Owner, f.Verdict, f.Least = nil, "", "", "", ""
	f.Discloses, f.Finding, f.Setting = "", "", ""
	return reflect.ValueOf(f).IsZero()
}

// source returns FROM with the conditions.
func (c counting) source() string { return ` FROM ` + c.from + c.String() }
