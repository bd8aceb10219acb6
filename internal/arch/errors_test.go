package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// prefixed is the beginning of an error that names its room.
var prefixed = regexp.MustCompile(`^([a-z][a-z0-9]*): `)

// namesakes are methods, after the prefix of who wraps their errors, whose errors do not have it: another method of the
// same name has.
var namesakes = []string{
	"smb Finish",     // of ntlm/spnego
	"smb2 Unmarshal", // of a message's body, whose errors have none
}

// TestErrors reads the text of every error: it begins with a small letter or a name, does not end as a sentence does,
// wraps the error below, and names its room once.
func TestErrors(t *testing.T) {
	all := &errorsOf{begins: map[string][]string{}}
	seen := 0
	eachFile(t, func(file string, set *token.FileSet, f *ast.File) {
		names := importedBy(f)
		for _, d := range f.Decls {
			seen += all.read(t, set, d, f.Name.Name, names)
		}
	})
	if seen < 1000 {
		t.Fatalf("found %d errors: the walk is broken", seen)
	}
	met := map[string]bool{}
	for _, w := range all.wraps {
		name := w.prefix + " " + w.of
		switch {
		case !slices.Contains(all.begins[w.of], w.prefix):
		case slices.Contains(namesakes, name):
			met[name] = true
		default:
			t.Errorf("%s: %q wraps an error of %s, which begins so, too", w.at, w.prefix+": ", w.of)
		}
	}
	for _, name := range namesakes {
		if !met[name] {
			t.Errorf("no error needs the namesake %q: take it off the list", name)
		}
	}
}

// errorsOf is what the errors of one package say.
type errorsOf struct {
	begins map[string][]string // by function: the prefixes of errors that it makes
	wraps  []wrap
}

// wrap is an error with a prefix around one of another function of the package.
type wrap struct {
	at         token.Position
	prefix, of string
}

// read checks the errors that a declaration makes, and returns how many.
func (r *errorsOf) read(t *testing.T, set *token.FileSet, decl ast.Decl, own string, names importNames) (
	n int,
) {
	name := ""
	if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv != nil {
		name = fn.Name.Name
	} else if ok {
		name = own + "." + fn.Name.Name
	}
	from := map[string]string{} // where an error in a variable came from last
	ast.Inspect(decl, func(node ast.Node) bool {
		switch x := node.(type) {
		case *ast.AssignStmt:
			if call, ok := x.Rhs[0].(*ast.CallExpr); ok && len(x.Rhs) == 1 {
				if v, ok := x.Lhs[len(x.Lhs)-1].(*ast.Ident); ok {
					from[v.Name] = names.called(call, own)
				}
			}
		case *ast.CallExpr:
			text, ok := made(x)
			if !ok {
				return true
			}
			n++
			at := set.Position(x.Pos())
			if why := amiss(text); why != "" {
				t.Errorf("%s: %q %s", at, text, why)
			}
			m := prefixed.FindStringSubmatch(text)
			if m == nil {
				return true
			}
			if !strings.HasPrefix(text, m[0]+"%w") { // what it wraps may be all that it says
				r.begins[name] = append(r.begins[name], m[1])
			}
			for _, arg := range x.Args[1:] {
				switch a := arg.(type) {
				case *ast.Ident:
					if of := from[a.Name]; of != "" {
						r.wraps = append(r.wraps, wrap{at, m[1], of})
					}
				case *ast.CallExpr:
					if of := names.called(a, own); of != "" {
						r.wraps = append(r.wraps, wrap{at, m[1], of})
					}
				}
			}
		}
		return true
	})
	return n
}

// importNames is the names of imported packages, and whether a package is of this module.
type importNames map[string]bool

func importedBy(f *ast.File) importNames {
	names := importNames{}
	for _, i := range f.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		name := path.Base(p)
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = strings.HasPrefix(p, module+"/")
	}
	return names
}

// called names what is called: a function with its package, a method without its type, or nothing if another module has
// it.
func (names importNames) called(call *ast.CallExpr, own string) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return own + "." + f.Name
	case *ast.SelectorExpr:
		of, _ := f.X.(*ast.Ident)
		if of == nil {
			return f.Sel.Name
		}
		switch ours, imported := names[of.Name]; {
		case !imported:
			return f.Sel.Name
		case ours:
			return of.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// made returns the text of an error that a call makes.
func made(call *ast.CallExpr) (text string, ok bool) {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	of, _ := s.X.(*ast.Ident)
	if of == nil || !(of.Name == "errors" && s.Sel.Name == "New" || of.Name == "fmt" && s.Sel.Name == "Errorf") {
		return "", false
	}
	text, ok = literal(call.Args[0])
	if ok && of.Name == "fmt" && !strings.Contains(text, "%w") && slices.ContainsFunc(call.Args[1:], isErr) {
		text += "\x00"
	}
	return text, ok
}

func isErr(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "err"
}

// literal returns a text that is written there, joined of its lines.
func literal(e ast.Expr) (string, bool) {
	switch x := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, ok1 := literal(x.X)
		b, ok2 := literal(x.Y)
		return a + b, ok1 && ok2
	}
	return "", false
}

// amiss says what is wrong with an error's text.
func amiss(text string) string {
	first, _, _ := strings.Cut(text, " ")
	letters := []rune(first)
	switch {
	case text == "":
		return "says nothing"
	case strings.HasSuffix(text, "\x00"):
		return "does not wrap the error below: %w"
	case unicode.IsUpper(letters[0]) && strings.ToLower(string(letters[1:])) == string(letters[1:]):
		return "begins with a capital letter"
	case strings.ContainsAny(text[len(text)-1:], ".!\n :"):
		return "ends as a sentence or a prefix does"
	}
	return ""
}
