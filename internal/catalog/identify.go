package catalog

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is a server implementation and how to recognize it.
type Kind struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// windows, samba or ksmbd, if it has the settings of one of them.
	System   string         `json:"system,omitempty"`
	Decoy    string         `json:"decoy,omitempty"`    // why no advice is given: it only pretends to be a server
	Dialects map[string]int `json:"dialects,omitempty"` // by dialect: the first build that supports it
	Clues    []Clue         `json:"clues"`
	Sources  []string       `json:"sources"`
}

// Clue is one thing that a server may show. If maps facts to values, which must all match; a value that ends in *
// matches every value with that prefix. The facts, each of which is absent if it was not seen:
//
//	native_os, native_lanman   what it calls itself over SMB1
//	comment                    of NetrServerGetInfo
//	name                       the computer's, from the NTLM challenge
//	domain                     "name" if the challenge has the computer's name in the place of its domain
//	version                    of the challenge, as 10.0.20348; "none" if it has none
//	build, windows             a version that Windows may have: its build, and the products that have it
//	guid, guid_kind            the server's GUID as on the wire; "zero", "name" (it spells the name) or "letters"
//	dialect                    the best one of all that were offered
//	signing                    how messages are signed at that dialect
//	max_transact               in bytes, from 2.1 on
//	hint                       the name in the first token of the logon
//	null_session               "guest" if the server calls a null session a guest's
//	started                    "now" if it was started in the second of its answer
type Clue struct {
	If    map[string]string `json:"if"`
	Says  string            `json:"says"`            // what was seen, as a part of a sentence
	Tells string            `json:"tells,omitempty"` // the fact that holds the product's name
	Guess bool              `json:"guess,omitempty"` // Tells is our inference, not the server's own statement
	Weak  bool              `json:"weak,omitempty"`  // others show it too: it only supports a deciding clue
	Since string            `json:"since,omitempty"` // the first release that shows it
}

// Identified is what a server is taken for, and why.
type Identified struct {
	Kind    *Kind // nil if nothing decides
	Product string
	Basis   []string // the evidence for it, the deciding first; then the evidence against it
	Sure    bool     // the product's name is the server's own statement
	Against bool     // there is evidence against it: it is not what it claims to be
}

// Identify identifies a server by what it shows; see Clue for the facts.
func (c *Catalog) Identify(facts map[string]string) Identified {
	var out Identified
	for i := range c.Servers {
		k := &c.Servers[i]
		basis, product, sure, decides := k.shown(facts)
		switch {
		case !decides:
		case out.Kind == nil:
			out = Identified{Kind: k, Product: product, Basis: basis, Sure: sure}
		case k.System != out.Kind.System:
			out.Against = true
			out.Basis = append(out.Basis, fmt.Sprintf("but it also passes for %s: %s", k.Title, basis[0]))
		}
	}
	if out.Kind == nil {
		if name := facts["native_lanman"]; name != "" {
			out.Product, out.Sure, out.Basis = name, true, []string{"it says so itself over SMB1"}
		}
		return out
	}
	if why := out.Kind.impossible(facts); why != "" {
		out.Against = true
		out.Basis = append(out.Basis, "but "+why)
	}
	return out
}

// shown collects the clues of a kind that a server shows.
func (k *Kind) shown(facts map[string]string) (basis []string, product string, sure, decides bool) {
	since := ""
	var weak []string
	for _, c := range k.Clues {
		if !c.fits(facts) {
			continue
		}
		if c.Since != "" {
			since = c.Since
		}
		if c.Weak {
			weak = append(weak, c.Says)
			continue
		}
		decides = true
		basis = append(basis, c.Says)
		if c.Tells != "" && product == "" {
			product, sure = facts[c.Tells], !c.Guess
		}
	}
	if product == "" {
		if product = k.Title; since != "" {
			product += " " + since + " or newer"
		}
	}
	return append(basis, weak...), product, sure, decides
}

func (c *Clue) fits(facts map[string]string) bool {
	for name, want := range c.If {
		got, ok := facts[name]
		begin, open := strings.CutSuffix(want, "*")
		if !ok || got != want && (!open || !strings.HasPrefix(got, begin)) {
			return false
		}
	}
	return len(c.If) > 0
}

// impossible says which of the server's own statements contradict each other.
func (k *Kind) impossible(facts map[string]string) string {
	build, err := strconv.Atoi(facts["build"])
	first, known := k.Dialects[facts["dialect"]]
	if err != nil || !known {
		return ""
	}
	if build < first {
		return fmt.Sprintf("it speaks SMB %s, which %s does not before build %d, and names build %d", facts["dialect"],
			k.Title, first, build)
	}
	return ""
}
