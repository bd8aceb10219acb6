package dcerpc

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"ipcguard/internal/status"
)

//go:embed opnums.txt
var opnumText string

// Interface describes an RPC interface.
type Interface struct {
	Name     string // short name, such as samr
	Syntax   SyntaxID
	Pipes    []string // its usual pipes, lower or mixed case, without \pipe\
	Document string   // such as MS-SAMR; "-" where no specification is public
	Ops      []Op     // by opnum; gaps have an empty name
}

// Op is one call.
type Op struct {
	Name   string
	Return ReturnKind
}

// ReturnKind is the kind of status that ends a response.
type ReturnKind byte

// The kinds, as the letters of opnums.txt.
const (
	ReturnNone     ReturnKind = '-'
	ReturnNTStatus ReturnKind = 'N'
	ReturnWError   ReturnKind = 'W'
	ReturnHResult  ReturnKind = 'H'
	ReturnDCE      ReturnKind = 'F'
)

// String is the name of the kind.
func (k ReturnKind) String() string {
	switch k {
	case ReturnNTStatus:
		return "NTSTATUS"
	case ReturnWError:
		return "WERROR"
	case ReturnHResult:
		return "HRESULT"
	case ReturnDCE:
		return "error_status_t"
	}
	return "none"
}

// OpName returns the name of a call, or "opnum N".
func (i *Interface) OpName(opnum uint16) string {
	if int(opnum) < len(i.Ops) && i.Ops[opnum].Name != "" {
		return i.Ops[opnum].Name
	}
	return fmt.Sprintf("opnum %d", opnum)
}

type registry struct {
	all      []*Interface
	bySyntax map[SyntaxID]*Interface
	byUUID   map[UUID]*Interface
}

var known = sync.OnceValue(func() *registry {
	r := &registry{nil, map[SyntaxID]*Interface{}, map[UUID]*Interface{}}
	for line := range strings.Lines(opnumText) {
		f := strings.Fields(line)
		switch {
		case len(f) == 6 && f[0] == "interface":
			i := &Interface{Name: f[1], Document: f[5]}
			major, minor, _ := strings.Cut(f[3], ".")
			i.Syntax = syntax(f[2], number(major), number(minor))
			if f[4] != "-" {
				i.Pipes = strings.Split(f[4], ",")
			}
			r.all = append(r.all, i)
			r.bySyntax[i.Syntax] = i
			r.byUUID[i.Syntax.UUID] = i
		case len(f) == 3 && len(r.all) > 0:
			i := r.all[len(r.all)-1]
			for n := int(number(f[0])); len(i.Ops) <= n; {
				i.Ops = append(i.Ops, Op{Return: ReturnNone})
			}
			i.Ops[number(f[0])] = Op{f[2], ReturnKind(f[1][0])}
		}
	}
	return r
})

// number parses a number of opnums.txt; the tests check the file.
func number(s string) uint16 {
	n, _ := strconv.ParseUint(s, 10, 16)
	return uint16(n)
}

// Interfaces returns every known interface. The list is shared: do not modify it.
func Interfaces() []*Interface { return known().all }

// LookupInterface returns an interface by its syntax, or by its UUID if the version differs; nil if unknown.
func LookupInterface(s SyntaxID) *Interface {
	if i := known().bySyntax[s]; i != nil {
		return i
	}
	return known().byUUID[s.UUID]
}

// CallName returns the display name of a call: the interface's short name or UUID, and the call's name or "opnum N".
func CallName(s SyntaxID, opnum uint16) (iface, call string) {
	if i := LookupInterface(s); i != nil {
		return i.Name, i.OpName(opnum)
	}
	return s.UUID.String(), fmt.Sprintf("opnum %d", opnum)
}

// Returned is the status at the end of a response.
type Returned struct {
	Kind ReturnKind
	Code uint32
}

// Err returns the status as an error of its kind, or nil. Warnings (such as more entries) are errors here too.
func (r Returned) Err() error {
	switch {
	case r.Kind == ReturnNone || r.Code == 0:
		return nil
	case r.Kind == ReturnNTStatus:
		return status.NTStatus(r.Code)
	case r.Kind == ReturnWError:
		return status.WError(r.Code)
	case r.Kind == ReturnHResult && r.Code>>16 == 0x8007: // HRESULT_FROM_WIN32, [MS-ERREF] 2.1.2
		return status.WError(r.Code & 0xFFFF)
	}
	return status.Fault(r.Code)
}
