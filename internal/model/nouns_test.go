package model

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestStrangers(t *testing.T) {
	for _, id := range []Identity{Anonymous, Guest, UnknownUser} {
		if !id.IsStranger() || !slices.Contains(Strangers(), id) || !slices.Contains(Identities(), id) {
			t.Errorf("%s is no stranger", id)
		}
	}
	for _, id := range []Identity{User, Machine, Unknown, Opaque, ""} {
		if id.IsStranger() || slices.Contains(Strangers(), id) {
			t.Errorf("%q is a stranger", id)
		}
	}
	if got := Identities(); got[len(got)-1] != User || len(got) != len(Strangers())+1 {
		t.Errorf("a scan connects as %v", got)
	}
	Strangers()[0] = User
	if Strangers()[0] != Anonymous {
		t.Error("the list can be changed from outside")
	}
}

// TestNouns: each kind of data has one noun, in the singular and the plural.
func TestNouns(t *testing.T) {
	seen := map[string]Disclosure{}
	for _, d := range Disclosures() {
		noun := d.Noun()
		if noun == "" || noun == string(d) && d.Count(1) == noun {
			t.Errorf("%s has no noun", d)
		}
		if other, taken := seen[noun]; taken {
			t.Errorf("%s and %s are both %q", d, other, noun)
		}
		seen[noun] = d
	}
	for _, tt := range []struct {
		d         Disclosure
		one, many string
	}{
		{DisclosesAccounts, "1 account", "3 accounts"},
		{DisclosesSIDs, "1 security identifier", "3 security identifiers"},
		{DisclosesFiles, "1 disk share", "3 disk shares"},
		{DisclosesPasswordPolicy, "the password policy", "the password policy"},
		{DisclosesDFS, "the DFS namespace", "the DFS namespace"},
	} {
		if a, b := tt.d.Count(1), tt.d.Count(3); a != tt.one || b != tt.many {
			t.Errorf("%s: %q, %q", tt.d, a, b)
		}
	}
	if got := Nouns([]Disclosure{DisclosesAccounts, DisclosesRegistry}); got != "accounts, the registry" {
		t.Errorf("several: %q", got)
	}
	if got := Disclosure("new-kind").Noun(); got != "new-kind" {
		t.Errorf("a kind from a newer program: %q", got)
	}
}

// TestNoticeSetting reads a notice with its setting, and one of an older file, in which the text alone names it.
func TestNoticeSetting(t *testing.T) {
	const old = `{"id":"samba-weak-netlogon","client":"NAS2$","evidence":"","count":1,` +
		`"what":"its Netlogon would be refused without 'server schannel require seal:NAS2$ = no'"`
	for text, want := range map[string]string{
		old + `}`: "server schannel require seal",
		old + `,"setting":"server require schannel"}`:                           "server require schannel",
		`{"id":"other","what":"'a:b'","evidence":"","count":1}`:                 "",
		`{"id":"samba-weak-netlogon","what":"nothing","evidence":"","count":1}`: "",
	} {
		var n Notice
		if err := json.Unmarshal([]byte(text), &n); err != nil || n.Setting != want {
			t.Errorf("%s: %v: setting %q, want %q", text, err, n.Setting, want)
		}
	}
}
