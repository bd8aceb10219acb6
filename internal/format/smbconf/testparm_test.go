package smbconf

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// testparm runs Samba's testparm. The sections have every parameter that it prints; broken says that it failed.
func testparm(t interface {
	Helper()
	Fatalf(string, ...any)
}, bin, file string,
) (sections map[string]map[string]string, broken bool) {
	t.Helper()
	cmd := exec.Command(bin, "-sv", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "Error loading services") {
		return nil, true
	}
	if err != nil && len(out) == 0 {
		t.Fatalf("testparm: %v\n%s", err, stderr.String())
	}
	sections = map[string]map[string]string{}
	var cur map[string]string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "[") {
			cur = map[string]string{}
			sections[strings.ToLower(strings.TrimSuffix(line[1:], "]"))] = cur
		} else if name, value, ok := strings.Cut(strings.TrimPrefix(line, "\t"), " = "); ok && cur != nil {
			cur[name] = value
		}
	}
	return sections, false
}

func findTestparm(t *testing.T) string {
	t.Helper()
	p, err := exec.LookPath("testparm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("testparm is missing")
		}
		t.Skip("testparm is not installed: nothing to compare with")
	}
	return p
}

// normal normalizes two spellings of a value.
func normal(p Param) string {
	k, _ := Lookup(p.Name)
	switch k.Type {
	case "bool", "boolrev":
		if b, _ := p.Bool(); b {
			return "Yes"
		}
		return "No"
	case "cmdlist", "list":
		return fmt.Sprintf("%q", p.List())
	case "integer":
		n, _ := p.Int()
		return fmt.Sprint(n)
	case "bytes":
		digits := strings.TrimRight(strings.ToUpper(fold(p.Value)), "KMGTP")
		n, _ := strconv.ParseInt(digits, 10, 64)
		for range strings.Index(" KMGTP", strings.ToUpper(fold(p.Value) + " ")[len(digits):len(digits)+1]) {
			n <<= 10
		}
		return fmt.Sprint(n)
	case "octal":
		digits := p.Value[:len(p.Value)-len(strings.TrimLeft(p.Value, "01234567"))]
		n, _ := strconv.ParseInt(digits, 8, 32)
		return fmt.Sprint(n)
	case "enum": // testparm prints another name of the same number
		return fmt.Sprint(sameEnum(fold(p.Name), fold(p.Value)))
	}
	return p.Value
}

// sameEnum normalizes the names of one number of an enumeration: equal ones are adjacent in Samba's tables.
func sameEnum(name, value string) string {
	alike := map[string]string{
		"smb3": "smb3_11", "smb2": "smb2_10", "false": "no", "0": "no", "off": "no", "disabled": "no", "true": "yes",
		"1": "yes", "on": "yes",
		"enabled": "yes", "auto": "yes", "if_required": "yes", "required": "mandatory", "force": "mandatory",
		"forced": "mandatory", "enforced": "mandatory",
		"core+": "coreplus", "perms": "permissions", "starttls": "start_tls", "standaloneserver": "standalone",
		"memberserver":     "member",
		"domaincontroller": "dc", "activedirectorydomaincontroller": "dc", "secretsonly": "default",
		"windowsandunix": "yes",
		"secure":         "secureonly", "signed": "secureonly", "nonsecure": "nonsecureandsecure",
		"ntlmv1-permitted": "yes",
		"ntlmv2-only":      "no",
		"default":          "default",
	}
	switch {
	case name == "clientusekerberos" && (value == "required" || value == "yes"):
		return "yes"
	case name == "clientusekerberos" && (value == "auto" || value == "desired"):
		return "desired"
	case name == "ntlmauth" && value == "disabled",
		value == "auto" && !strings.Contains(name, "signing") && !strings.Contains(name, "encrypt"),
		name == "cupsencrypt" && value == "auto", name == "smbdprofilinglevel", name == "ldapderef":
		return value
	}
	if to := alike[value]; to != "" {
		return to
	}
	return value
}

// compare compares one configuration with testparm and returns the number of values that agreed.
func compare(t interface {
	Helper()
	Fatalf(string, ...any)
}, bin, path string,
) int {
	t.Helper()
	c, err := Load(path, Options{once: true})
	if err != nil {
		t.Fatalf("%v", err)
	}
	text, _ := os.ReadFile(path)
	want, broken := testparm(t, bin, path)
	if broken != (c.Broken != nil) {
		t.Fatalf("testparm gave up: %v; here: %v\n%s", broken, c.Broken, text)
	}
	if broken {
		return 1
	}
	n := 0
	for _, s := range append(slices.Clone(c.Shares), c.Global) {
		got := want[strings.ToLower(s.Name)]
		if got == nil {
			t.Fatalf("testparm has no [%s]\n%s", s.Name, text)
		}
		for _, p := range s.All() {
			switch {
			case p.Name == "include" || p.Name == "copy":
				continue
			case strings.EqualFold(s.Name, IPC) && forced[key(p.Name)]:
				continue // Samba decides these by itself
			}
			have, ok := got[p.Name]
			if !ok && strings.Contains(p.Name, ":") {
				have, ok = got[strings.ToLower(p.Name)]
			}
			if !ok { // a share's value is printed if it differs from [global]'s
				have, ok = want["global"][p.Name]
			}
			if !ok && len(p.List()) == 0 {
				continue // an empty list is not printed
			}
			q := p
			q.Value, q.Inverse = have, false
			if !ok || normal(p) != normal(q) {
				t.Fatalf("[%s] %s = %q (from %s:%d); testparm says %q %v\n%s", s.Name, p.Name, p.Value, p.File, p.Line,
					have, ok, text)
			}
			n++
		}
	}
	for name := range want {
		if c.Section(name) == nil {
			t.Fatalf("testparm has [%s], which is not here\n%s", name, text)
		}
	}
	return n
}

func enumNames() []string { return slices.Sorted(maps.Keys(enums())) }

// TestEveryEnumValue checks the table of values with testparm: each value of each enumeration is accepted.
func TestEveryEnumValue(t *testing.T) {
	bin := findTestparm(t)
	most := 0
	for _, e := range enums() {
		most = max(most, len(e.words))
	}
	path := filepath.Join(t.TempDir(), "smb.conf")
	for i := range most { // the i-th value of all of them
		text := "[global]\n"
		for _, name := range enumNames() {
			if values := enumValues(name); name != "configbackend" {
				text += name + " = " + values[i%len(values)] + "\n"
			}
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		compare(t, bin, path)
		meansWhatIsShown(t, bin, path)
	}
}

// enumValues lists the values of an enumeration.
func enumValues(name string) []string { return Words(name) }

// meansWhatIsShown checks that each value of an enumeration and the one that testparm shows for it mean the same.
func meansWhatIsShown(t *testing.T, bin, path string) {
	t.Helper()
	c, err := Load(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	// It fails on values that contradict each other, and shows them.
	out, _ := exec.Command(bin, "-s", "-v", "--suppress-prompt", path).Output()
	seen := 0
	for line := range strings.Lines(string(out)) {
		name, shown, _ := strings.Cut(line, "=")
		p, ok := c.Global.Own(name)
		if enums()[fold(name)] == nil || !ok {
			continue
		}
		if seen++; !p.Means(shown) {
			t.Errorf("%s = %s is %s to testparm", p.Name, p.Value, strings.TrimSpace(shown))
		}
	}
	if seen < 20 {
		t.Errorf("testparm shows %d of the enumerations", seen)
	}
}

// TestRefused: single lines at which Samba and this package stop, and an invalid word for every enumeration.
func TestRefused(t *testing.T) {
	bin := findTestparm(t)
	lines := []string{
		"map to guest = yes", "name resolve order = hosts bcast", "security = share", "max log size = 51200 # 50Mb",
		"max log size = 3G",
		"max log size = -1", "smb ports = abc", "smb ports =", "smb ports = 445x", "smb ports = 445-446",
		"create mask = rw", "rpc server dynamic port range = 1", "server role = foo",
		"-valid = no\n[b]\ncopy = a",
	}
	for _, name := range enumNames() {
		lines = append(lines, name+" = banana")
	}
	dir := t.TempDir()
	for i, line := range lines {
		path := filepath.Join(dir, fmt.Sprint(i))
		section := "[global]\n"
		if strings.HasPrefix(line, "-") {
			section = "[a]\npath = /srv\n"
		}
		if err := os.WriteFile(path, []byte(section+line+"\n[x]\npath = /x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, broken := testparm(t, bin, path); !broken || c.Broken == nil {
			t.Errorf("%q: testparm refuses it: %v; here: %v", line, broken, c.Broken)
		}
	}
}

// spelling changes the spelling of a name without changing its meaning.
func spelling(t *rapid.T, s string) string {
	switch rapid.IntRange(0, 3).Draw(t, "spelling") {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ReplaceAll(s, " ", "")
	case 2:
		return strings.ReplaceAll(s, " ", "  \t")
	}
	return s
}

var (
	bools = []string{"yes", "no", "True", "FALSE", "1", "0", "on", "Off"}
	words = []string{"alice", "@staff", `"two words"`, "10.0.0.0/8", "c,d", "e;f", "+g"}
)

// genText generates a configuration with everything that the rules in the package comment name.
func genText(t *rapid.T, includes []string) string {
	var b strings.Builder
	shares := []string{}
	for range rapid.IntRange(1, 25).Draw(t, "lines") {
		pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
		set := func(name, value string) {
			fmt.Fprintf(&b, "%s%s%s=%s%s%s\n", pick("indent", "", "\t", "  "), spelling(t, name),
				pick("left", " ", "", "\t "), pick("right", " ", "", "   "), value, pick("end", "", " ", "\t", "\r"))
		}
		rarely := func() bool { return rapid.IntRange(0, 19).Draw(t, "refused") == 0 }
		switch rapid.IntRange(0, 27).Draw(t, "line") {
		case 0, 1:
			b.WriteString(pick("global", "[global]\n", "[Globals]\n", "[GLO BAL] trailing\n"))
		case 2, 3, 4:
			name := pick("share", "one", "Two", "three four", "IPC$", "homes")
			shares = append(shares, name)
			fmt.Fprintf(&b, "[%s]\n", pick("case", name, strings.ToUpper(name), strings.ReplaceAll(name, " ", "   ")))
		case 5:
			b.WriteString(pick("comment", "# a comment \\\n", "  ; another\n", "\n", "   \n", "#[one]\n",
				"no equals sign\n", "unknown thing = 1\n"))
		case 6:
			set(pick("bool", "guest ok", "public"), pick("v", bools...))
		case 7:
			set(pick("bool", "read only", "writeable", "write ok", "writable"), pick("v", bools...))
		case 8:
			set("browseable", pick("v", bools...))
		case 9:
			set(pick("list", "valid users", "invalid users", "hosts allow", "deny hosts"),
				strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 4).Draw(t, "words"),
					pick("sep", " ", ", ", ";")))
		case 10:
			set("comment", pick("text", "plain", "with = sign", `"quoted  text"`, "a\\\n  b", "a \\ \nb",
				"# no comment", "", "x;y", "tab\there"))
		case 11:
			set("restrict anonymous", pick("n", "0", "1", "2", "2x"))
		case 12:
			set(pick("enum", "map to guest", "maptoguest"), pick("v", "Never", "bad user", "Bad Password"))
		case 13:
			set("server string", pick("text", "hello", "a b", ""))
		case 14:
			set(pick("name", "server min protocol", "min protocol"), pick("v", "SMB2_10", "SMB3_11", "NT1"))
		case 15:
			set("max connections", pick("n", "0", "5", "17"))
		case 16:
			set(pick("bool", "null passwords", "nt pipe support", "disable netbios"), pick("v", bools...))
		case 17, 18:
			if len(includes) > 0 {
				set("include", pick("file", append(includes, "/nonexistent/x.conf")...))
			}
		case 19:
			if len(shares) > 1 {
				set("copy", pick("from", shares...))
			}
		case 20:
			set("full_audit:prefix", pick("v", "a", "b c"))
		case 21:
			set("guest account", pick("v", "nobody", "daemon"))
		case 23:
			if name := pick("enum", enumNames()...); rarely() {
				set(name, pick("refused", "banana", "", "2", "bad users"))
			} else {
				set(name, pick("v", enumValues(name)...))
			}
		case 24:
			set(pick("number", "deadtime", "restrict anonymous", "max connections"),
				pick("v", "0x10", "0X2", "010", "08", "15m", "", "abc", "-3", "+2", "2 # c", "0x", "99999999999"))
		case 25:
			if set("max log size", pick("v", "50", "50K", "5 m", "0")); rarely() {
				set("max log size", pick("refused", "51200 # 50Mb", "50MB", "0x10", "", "-1", "3G"))
			}
		case 26:
			set(pick("gate", "path", "available", "printable", "print ok", "msdfs proxy"), pick("v", "yes", "1", "on"))
		case 27:
			set("name resolve order", pick("v", "host", "wins bcast", "lmhosts, host"))
			if rarely() {
				set(pick("list", "name resolve order", "smb ports", "rpc server dynamic port range", "create mask"),
					pick("v", "hosts bcast", "", "445 0", "abc", "50000-40000", "999"))
			}
		case 22:
			if rapid.IntRange(0, 9).Draw(t, "break") == 0 {
				b.WriteString(pick("broken", "= x\n", "[open\n", "[]\n", "guest ok = banana\n",
					"copy = nobody there\n"))
			}
		}
	}
	return b.String()
}

// TestAgreesWithTestparm is the proof of this package: for any configuration, the effective values are those of Samba's
// own reader. A hundred configurations, 400 in CI; -rapid.checks=1000 for more.
func TestAgreesWithTestparm(t *testing.T) {
	bin := findTestparm(t)
	dir := t.TempDir()
	each := 1 // configurations a check: testparm takes 50 ms for one
	if os.Getenv("CI") == "true" {
		each = 4
	}
	configs, values := 0, 0
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		for i := range each {
			write := func(name string, includes ...string) string {
				p := filepath.Join(dir, fmt.Sprintf("%d-%d-%s.conf", round, i, name))
				if err := os.WriteFile(p, []byte(genText(t, includes)), 0o600); err != nil {
					t.Fatal(err)
				}
				return p
			}
			inner := write("inner")
			outer := write("outer", inner)
			values += compare(t, bin, write("main", inner, outer))
			configs++
		}
	})
	t.Logf("%d configurations, %d values", configs, values)
}
