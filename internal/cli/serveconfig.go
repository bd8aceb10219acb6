package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The flags of serve may also be set in a configuration file and in the environment. A flag takes precedence over a
// variable, and a variable over the file. The subcommands of serve use the settings that they have flags for, and so
// find the same database and key.

// variablePrefix begins the name of a flag's variable: IPCGUARD_TLS_CERT is --tls-cert.
const variablePrefix = "IPCGUARD_"

// maxServeConfig bounds the configuration file, in bytes: every flag of serve, with pages of comments.
const maxServeConfig = 64 << 10

const configHelp = `Print the configuration that serve would use, and where each value comes from. The output is itself a configuration
file.

A flag overrides an environment variable (` + variablePrefix + `LISTEN is --listen), a variable overrides the
configuration file, and the file overrides the default. This command starts nothing and makes no file.
`

// settings are the flags of serve and where each value comes from.
type settings struct {
	flags *pflag.FlagSet // of serve
	file  string
	from  map[string]string // by flag; a flag that is missing has its default
}

// configurable reports whether a file may set a flag: all but those that are about a single run. A new key is wanted
// once: a file that said so would make another one whenever the key is lost.
func (s *settings) configurable(name string) bool {
	return name != "config" && name != "help" && name != "new-key" && s.flags.Lookup(name) != nil
}

// strange returns the variables of the environment that look like one of serve's flags and are none.
func (s *settings) strange() []string {
	var out []string
	others := []string{variableOf("config"), providerVariable, joinVariable, readyVariable, userVariable, passwordVariable}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		flag, ours := strings.CutPrefix(name, variablePrefix)
		flag = strings.ToLower(strings.ReplaceAll(flag, "_", "-"))
		if ours && value != "" && !s.configurable(flag) && !slices.Contains(others, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// defaultConfig returns the path of the configuration file if none is named.
func defaultConfig() string {
	if runtime.GOOS == "windows" {
		if data := os.Getenv("ProgramData"); data != "" {
			return filepath.Join(data, "ipcguard-serve", "serve.toml")
		}
		return ""
	}
	return "/etc/ipcguard/serve.toml"
}

func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// configure sets the flags of a command from the environment and the file, unless the command line sets them.
func (s *settings) configure(c *cobra.Command) error {
	given, err := s.read()
	if err != nil {
		return err
	}
	var mistake error
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if mistake != nil || !s.configurable(f.Name) {
			return
		}
		switch v, inFile := given[f.Name]; {
		case f.Changed:
			s.from[f.Name] = "--" + f.Name
		case os.Getenv(variableOf(f.Name)) != "":
			s.from[f.Name] = variableOf(f.Name)
			if f.Name == "database" { // it may contain a password, and is read when it is used
				return
			}
			if err := f.Value.Set(os.Getenv(variableOf(f.Name))); err != nil {
				mistake = usage("%s: %w", variableOf(f.Name), wants(f, err))
			}
		case inFile:
			s.from[f.Name] = s.file
			if err := setFrom(f, v); err != nil {
				mistake = usage("%s: %s: %w", s.file, f.Name, err)
			}
		}
	})
	return mistake
}

// read reads the configuration file. Only a file that was named must exist.
func (s *settings) read() (map[string]any, error) {
	named := s.file != ""
	if !named {
		if s.file = os.Getenv(variableOf("config")); s.file != "" {
			named = true
		} else if s.file = defaultConfig(); s.file == "" {
			return nil, nil
		}
	}
	b, err := readBounded(s.file, maxServeConfig)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if err := flat(b); err != nil {
		return nil, usage("%s: %w", s.file, err)
	}
	given := map[string]any{}
	if _, err := toml.Decode(string(b), &given); err != nil {
		return nil, usage("%s: %w", s.file, err)
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !s.configurable(key) {
			return nil, hinted{
				usage("%s: unknown key %q", s.file, key),
				"the keys are the flags of serve without their dashes; ipcguard serve config prints them all",
			}
		}
	}
	if text, _ := given["database"].(string); hasPassword(text) {
		return nil, hinted{
			usage("%s: database: there is a password in it", s.file),
			"put it into a password file (PGPASSFILE), or the whole address into " + databaseVariable,
		}
	}
	return given, nil
}

// wants says what a flag wants that is a truth value or a number; err says it of any other. The error of their parsers
// names a function of Go.
func wants(f *pflag.Flag, err error) error {
	switch f.Value.Type() {
	case "bool":
		return errors.New("want true or false")
	case "int":
		return errors.New("want a whole number")
	}
	return err
}

// setFrom sets a flag to a TOML value, whose type must be the flag's.
func setFrom(f *pflag.Flag, v any) error {
	list, isList := f.Value.(pflag.SliceValue)
	switch v := v.(type) {
	case string:
		if f.Value.Type() == "string" {
			return f.Value.Set(v)
		}
	case bool:
		if f.Value.Type() == "bool" {
			return f.Value.Set(fmt.Sprint(v))
		}
	case int64:
		if f.Value.Type() == "int" {
			return f.Value.Set(fmt.Sprint(v))
		}
	case []any:
		if !isList {
			break
		}
		var items []string
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return errors.New("want a list of strings")
			}
			items = append(items, text)
		}
		return list.Replace(items)
	}
	if isList {
		return errors.New(`want a list of strings, such as ["a", "b"]`)
	}
	return wants(f, errors.New(`want a string, such as "text"`))
}

func (a *app) serveConfig(s *settings) *cobra.Command {
	f := &serveFlags{}
	c := &cobra.Command{
		Use:     "config",
		Short:   "Print the configuration as serve would use it",
		Long:    configHelp,
		Example: "  ipcguard serve config > /etc/ipcguard/serve.toml\n  ipcguard serve config --config draft.toml",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.checkServe(f); err != nil {
				return err
			}
			text, err := s.print(c.Flags())
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(a.stdout, text); err != nil {
				return err
			}
			for _, name := range s.strange() {
				say(a.stderr, "%s is ignored: serve has no flag of this name that a variable can set", name)
			}
			return nil
		},
	}
	f.register(c.Flags())
	return c
}

// print returns a configuration file with all flags.
func (s *settings) print(flags *pflag.FlagSet) (string, error) {
	var b strings.Builder
	var mistake error
	flags.VisitAll(func(f *pflag.Flag) {
		if !s.configurable(f.Name) {
			return
		}
		from, set := s.from[f.Name]
		if !set {
			from = "default"
		}
		value := valueOf(f)
		if f.Name == "database" && from == databaseVariable {
			value, from = withoutPassword(os.Getenv(databaseVariable)), from+"; a password in it is not shown"
		}
		line, err := toml.Marshal(map[string]any{f.Name: value})
		if err != nil {
			mistake = fmt.Errorf("--%s: %w", f.Name, err)
		}
		fmt.Fprintf(&b, "# %s\n%s # %s\n\n", f.Usage, bytes.TrimSpace(line), from)
	})
	return strings.TrimSuffix(b.String(), "\n"), mistake
}

// valueOf returns a flag's value for TOML.
func valueOf(f *pflag.Flag) any {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return append([]string{}, list.GetSlice()...) // an empty list, not nil
	}
	switch text := f.Value.String(); f.Value.Type() {
	case "bool":
		return text == "true"
	case "int":
		n, _ := strconv.ParseInt(text, 10, 64) // a number formatted by the flag itself
		return n
	default:
		return text
	}
}

var passwordWord = regexp.MustCompile(`password=('(\\.|[^'])*'|[^\s&]*)`)

// withoutPassword returns a database's address for people.
func withoutPassword(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		if _, ok := u.User.Password(); ok {
			u.User = url.User(u.User.Username())
			dsn = u.String()
		}
	} else if err != nil {
		return "(not shown)" // it is unknown which part is a password
	}
	return passwordWord.ReplaceAllString(dsn, "password=…")
}
