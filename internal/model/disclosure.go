package model

import "strings"

// Disclosure is the kind of information that a call gave away.
type Disclosure string

// The kinds of disclosure.
const (
	DisclosesIdentity       Disclosure = "identity"
	DisclosesAccounts       Disclosure = "accounts"
	DisclosesGroups         Disclosure = "groups"
	DisclosesPasswordPolicy Disclosure = "password-policy"
	DisclosesShares         Disclosure = "shares"
	DisclosesSessions       Disclosure = "sessions"
	DisclosesSIDs           Disclosure = "sids"
	DisclosesTrusts         Disclosure = "trusts"
	DisclosesServices       Disclosure = "services"
	DisclosesRegistry       Disclosure = "registry"
	DisclosesPrinters       Disclosure = "printers"
	DisclosesHostInfo       Disclosure = "host-info"
	DisclosesEndpoints      Disclosure = "endpoints"
	DisclosesJobs           Disclosure = "jobs"
	DisclosesLogs           Disclosure = "logs"
	DisclosesDFS            Disclosure = "dfs"
	DisclosesFiles          Disclosure = "files"
	DisclosesNothing        Disclosure = "nothing"
)

// disclosures lists each kind with its noun in report order. A kind that cannot be counted has no plural.
var disclosures = []struct {
	kind      Disclosure
	one, many string
}{
	{DisclosesAccounts, "account", "accounts"},
	{DisclosesGroups, "group", "groups"},
	{DisclosesPasswordPolicy, "the password policy", ""},
	{DisclosesSIDs, "security identifier", "security identifiers"},
	{DisclosesTrusts, "trusted domain", "trusted domains"},
	{DisclosesShares, "share", "shares"},
	{DisclosesFiles, "disk share", "disk shares"},
	{DisclosesSessions, "session", "sessions"},
	{DisclosesServices, "service", "services"},
	{DisclosesRegistry, "the registry", ""},
	{DisclosesPrinters, "printer", "printers"},
	{DisclosesJobs, "scheduled job", "scheduled jobs"},
	{DisclosesLogs, "event log", "event logs"},
	{DisclosesDFS, "the DFS namespace", ""},
	{DisclosesHostInfo, "the host's names and version", ""},
	{DisclosesEndpoints, "endpoint", "endpoints"},
	{DisclosesIdentity, "the caller's own name", ""},
}

// Disclosures returns every kind that is about data, in report order.
func Disclosures() []Disclosure {
	out := make([]Disclosure, len(disclosures))
	for i := range disclosures {
		out[i] = disclosures[i].kind
	}
	return out
}

// Noun returns the kind for use in a sentence, in the plural if it has one: "accounts", "the password policy".
func (d Disclosure) Noun() string {
	one, many := d.nouns()
	if many == "" {
		return one
	}
	return many
}

// Count returns a count of the kind in words: "1 account", "3 accounts". A kind that cannot be counted has no number.
func (d Disclosure) Count(n int) string {
	one, many := d.nouns()
	if many == "" {
		return one
	}
	return Count(n, one, many)
}

func (d Disclosure) nouns() (one, many string) {
	for i := range disclosures {
		if disclosures[i].kind == d {
			return disclosures[i].one, disclosures[i].many
		}
	}
	return string(d), ""
}

// Nouns joins the nouns of several kinds in the given order.
func Nouns(kinds []Disclosure) string {
	out := make([]string, len(kinds))
	for i, d := range kinds {
		out[i] = d.Noun()
	}
	return strings.Join(out, ", ")
}

// IsExposure reports whether giving this to a stranger is an exposure. A caller's own name and what a server gives
// every client (its names, version, time, endpoint map) are not.
func (d Disclosure) IsExposure() bool {
	switch d {
	case DisclosesIdentity, DisclosesHostInfo, DisclosesEndpoints, DisclosesNothing, "":
		return false
	}
	return true
}
