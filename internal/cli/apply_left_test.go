package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestLeftOnSamba: what a plan leaves is said in the last sentence of apply and verify, and decides with what they end.
// A share that has to stay is told; one that the plan does not know, and that strangers read, is no "verified". A plan
// for another host is not applied without a word.
func TestLeftOnSamba(t *testing.T) {
	t.Parallel()
	users := t.TempDir()
	s := peer.StartSamba(t, peer.Config{Address: "127.73.4.1", Global: []string{
		"map to guest = Bad User", "usershare path = " + users, "usershare max shares = 0", "usershare owner only = no",
	}})
	drop := filepath.Join(s.Dir, "drop")
	share := fmt.Sprintf("#VERSION 2\npath=%s\ncomment=\nusershare_acl=S-1-1-0:R\nguest_ok=y\nsharename=drop\n", drop)
	text, err := os.ReadFile(s.ConfigFile)
	if err = errors.Join(err, os.Mkdir(drop, 0o755), os.WriteFile(filepath.Join(users, "drop"), []byte(share), 0o644),
		os.Chmod(users, os.ModeSticky|0o770)); err != nil {
		t.Fatal(err)
	}
	here := programOn(t, s)
	at, target := here.at, "samba:"+s.ConfigFile
	serve := func(text string) {
		t.Helper()
		if err := os.WriteFile(s.ConfigFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s.Restart(t)
	}
	// whole takes a plan the whole way and back; both apply and verify end with the same code and name what is left.
	whole := func(want int, last string, planned ...string) (applying string) {
		t.Helper()
		here.run(t, 3, "scan", s.Addr(), "--format", "json", "-o", at("scan.json"))
		here.run(t, 3, "audit", s.ConfigFile, "--format", "json", "-o", at("audit.json"))
		here.run(t, 0, append([]string{
			"plan", "--audit", at("audit.json"), "--scan", at("scan.json"), "--format", "json", "-o", at("plan.json"),
		}, planned...)...)
		out := here.run(t, want, "apply", at("plan.json"), "--yes", "--target", target, "--state", at("state"))
		id := applied(t, out)
		for _, part := range []string{
			last, "stays open or not known", "ipcguard history " + id + inState(at("state")) + " tells which, and why.",
		} {
			if part == "stays open or not known" && strings.Contains(out, "stay open or not known") {
				continue
			}
			if !strings.Contains(out, part) {
				t.Errorf("apply does not say %q:\n%s", part, out)
			}
		}
		if out := here.run(t, 0, "history", id, "--state", at("state")); !strings.Contains(out, "disk shares") {
			t.Errorf("history does not say what is left:\n%s", out)
		}
		checked := here.run(t, want, "verify", s.Addr(), "--plan", at("plan.json"), "--share", "drop")
		if !strings.Contains(checked, "open or not known") || !strings.Contains(checked, "left:") {
			t.Errorf("verify does not say what is left:\n%s", checked)
		}
		if out := here.run(t, want, "verify", s.Addr(), "--plan", at("plan.json"), "--share", "drop", "--format",
			"json"); !strings.Contains(out, `"left:guest-reads-files"`) &&
			!strings.Contains(out, `"left:anonymous-reads-files"`) || !strings.Contains(out, `"left": [`) {
			t.Errorf("nor does its JSON:\n%.2000s", out)
		}
		here.run(t, 0, "rollback", id, "--state", at("state"))
		return out
	}

	t.Run("asked to stay", func(t *testing.T) {
		out := whole(0, "Applied and verified as ", "--needs", "share:public")
		if !strings.Contains(out,
			"open         left:guest-reads-files: the plan leaves it open: these shares have to stay") {
			t.Errorf("the share that stays is not told:\n%s", out)
		}
	})
	t.Run("for another host", func(t *testing.T) {
		here.run(t, 0, "plan", "--audit", at("audit.json"), "--target", "elsewhere", "--format", "json", "-o",
			at("other.json"))
		before, err := os.ReadFile(s.ConfigFile)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"apply", at("other.json"), "--yes", "--target", target, "--state", at("state")}
		for _, more := range [][]string{nil, {"--made-for", "someoneelse"}} {
			if out := here.run(t, 1, append(args, more...)...); !strings.Contains(out,
				"was made for elsewhere, and this is ") || !strings.Contains(out, "--made-for elsewhere") {
				t.Errorf("a plan for another host:\n%s", out)
			}
		}
		if after, err := os.ReadFile(s.ConfigFile); err != nil || string(after) != string(before) {
			t.Fatalf("it was written: %v", err)
		}
		here.run(t, 0, append(args, "--dry-run")...)
		// its NetBIOS name
		here.run(t, 0, "plan", "--audit", at("audit.json"), "--target", "labhost", "--format", "json", "-o",
			at("own.json"))
		own := applied(t, here.run(t, 0, "apply", at("own.json"), "--yes", "--target", target, "--state", at("state")))
		here.run(t, 0, "rollback", own, "--state", at("state"))
		id := applied(t, here.run(t, 0, append(args, "--made-for", "elsewhere")...))
		here.run(t, 0, "rollback", id, "--state", at("state"))
	})
	// Nobody may change what lets users share with strangers, so the plan cannot close it; and the file does not show
	// what they share.
	hidden := strings.NewReplacer("usershare max shares = 0",
		"usershare max shares = 100\n  usershare allow guests = yes", "guest ok = yes",
		"guest ok = no").Replace(string(text))
	t.Run("not known", func(t *testing.T) {
		peer.Long(t, "what the next two have beside a share that stays")
		serve(hidden)
		out := whole(4, "Applied and kept, and not verified: ", "--avoid", "usershare allow guests,map to guest")
		if !strings.Contains(out, "open         left:guest-reads-files") {
			t.Errorf("a share that strangers read is not told:\n%s", out)
		}
	})
	t.Run("not known beside one that stays", func(t *testing.T) {
		serve(strings.Replace(hidden, "guest ok = no", "guest ok = yes", 1))
		out := whole(4, "Applied and kept, and not verified: ", "--needs", "share:public", "--avoid",
			"usershare allow guests")
		if !strings.Contains(out, "1 disk share(s) open beside those that have to stay (public)") {
			t.Errorf("a share that strangers read is not told:\n%s", out)
		}
	})
	t.Run("closed beside one that stays", func(t *testing.T) {
		out := whole(0, "Applied and verified as ", "--needs", "share:public")
		if !strings.Contains(out, "usershare allow guests") ||
			!strings.Contains(out,
				"open         left:guest-reads-files: the plan leaves it open: these shares have to stay") {
			t.Errorf("the usershare is not closed, or the share that stays is not told:\n%s", out)
		}
	})
}
