package scan

// maxPages bounds how many pages of one enumeration are read: at 64 KiB a page some ten thousand accounts, which
// proves more than enough, in the time of as many round trips.
const maxPages = 16

// page is one part of an enumeration: what it holds, where the next one starts, and whether there is one.
type page struct {
	names  []string
	count  int
	resume uint32
	more   bool
}

// pages reads an enumeration to its end, or to maxPages, and sums it up. An error after the first page ends it there:
// what was read was given.
func pages(read func(resume uint32) (page, error)) (sum page, err error) {
	resume := uint32(0)
	for n := range maxPages {
		p, err := read(resume)
		if err != nil {
			if n == 0 {
				return page{}, err
			}
			sum.more = true
			return sum, nil
		}
		sum.count += max(p.count, len(p.names))
		sum.names = append(sum.names, p.names...)
		sum.more = p.more
		if !p.more || p.resume == resume || p.count == 0 && len(p.names) == 0 {
			break // a handle that stands still would go on for ever
		}
		resume = p.resume
	}
	return sum, nil
}

// text is the string behind a pointer that a server may leave out.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
