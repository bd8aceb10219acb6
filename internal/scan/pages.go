package scan

// maxPages bounds the pages of one enumeration: at 64 KiB a page about ten thousand accounts, which is more proof than
// needed, in as many round trips.
const maxPages = 16

// page is one part of an enumeration: its content, where the next one starts, and whether there is one.
type page struct {
	names  []string
	count  int
	resume uint32
	more   bool
}

// pages reads an enumeration to its end, or to maxPages, and counts its entries. An error after the first page ends it:
// what was read was disclosed.
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
			break // a handle that does not advance would go on for ever
		}
		resume = p.resume
	}
	return sum, nil
}

// text returns the string of an optional pointer.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
