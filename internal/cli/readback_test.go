package cli

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"

	"ipcguard/internal/format/gpo"
	"ipcguard/internal/format/regfile"
	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/regpol"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// The readers below carry out an export as its user's tools would, each from the format's own grammar and none of it
// from the writer's code.

// importReg is reg import.
func importReg(t testing.TB, r *registry.Tree, b []byte) {
	t.Helper()
	f, err := regfile.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	f.Apply(r)
}

// applyPolicy is a client of the group policy object in a backup.
func applyPolicy(t testing.TB, r *registry.Tree, files map[string][]byte, word string) *gpo.Result {
	t.Helper()
	fsys := fstest.MapFS{}
	for n, b := range files {
		fsys[n] = &fstest.MapFile{Data: b}
	}
	list, err := gpo.Read(fsys, word)
	if err != nil || len(list) != 1 || len(list[0].Problems) > 0 {
		t.Fatalf("%d objects: %v", len(list), err)
	}
	regpol.Apply(r, "HKLM", list[0].Policy)
	if list[0].Template != nil {
		values, errs := list[0].Template.RegistryValues()
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		for _, v := range values {
			v.Key = registry.Canonical(v.Key)
			r.Set(v)
		}
	}
	return gpo.Join(list...)
}

// task is one task of Ansible: a module and its arguments, the name of its result, and when it has failed.
type task struct {
	module               string
	args                 map[string]any
	register, failedWhen string
}

func (k task) text(name string) string { s, _ := k.args[name].(string); return s }

// readTasks returns the tasks of a file in their order, and those of its blocks in their place.
func readTasks(t testing.TB, b []byte) []task {
	t.Helper()
	var list []any
	if err := yaml.Unmarshal(b, &list); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	return flatTasks(list)
}

func flatTasks(list []any) []task {
	var out []task
	for _, x := range list {
		entry, _ := x.(map[string]any)
		for name, args := range entry {
			if block, ok := args.([]any); ok && name == "block" {
				out = append(out, flatTasks(block)...)
			}
			if m, ok := args.(map[string]any); ok && strings.Count(name, ".") == 2 {
				k := task{module: name, args: m}
				k.register, _ = entry["register"].(string)
				if when, ok := entry["failed_when"]; ok {
					k.failedWhen = fmt.Sprint(when)
				}
				out = append(out, k)
			}
		}
	}
	return out
}

// regedit is ansible.windows.win_regedit.
func (k task) regedit(t testing.TB, r *registry.Tree) {
	t.Helper()
	v := registry.Value{Key: registry.Canonical(k.text("path")), Name: k.text("name")}
	if k.text("state") == "absent" {
		r.DeleteValue(v.Key, v.Name)
		return
	}
	list, _ := model.List(k.args["data"])
	n, _ := model.Whole(fmt.Sprint(k.args["data"]))
	switch typ := k.text("type"); typ {
	case "dword":
		v = registry.NewDWord(v.Key, v.Name, uint32(n))
	case "multistring":
		if _, ok := k.args["data"].([]any); !ok {
			t.Fatalf("a list is %#v", k.args["data"])
		}
		v = registry.NewStrings(v.Key, v.Name, list)
	case "string", "expandstring":
		v = registry.NewText(v.Key, v.Name, k.text("data"))
		if typ == "expandstring" {
			v.Type = registry.ExpandSZ
		}
	case "binary":
		digits, ok := strings.CutPrefix(k.text("data"), "hex:")
		if !ok {
			t.Fatalf("bytes are %#v", k.args["data"])
		}
		v.Type, v.Data = registry.Binary, []byte{}
		for f := range strings.FieldsSeq(strings.ReplaceAll(digits, ",", " ")) {
			var b byte
			if _, err := fmt.Sscanf(f, "%02x", &b); err != nil {
				t.Fatal(err)
			}
			v.Data = append(v.Data, b)
		}
	default:
		t.Fatalf("win_regedit has no type %q", typ)
	}
	r.Set(v)
}

// scriptCommand is one command at the top of a PowerShell script, with its arguments evaluated.
type scriptCommand struct {
	Name string
	Args map[string]any
}

// evaluate reads every script of a folder by tree-sitter's grammar for PowerShell, which others wrote, and gives the
// commands at its top. An expression is evaluated by its tree; what is more than a literal, a cast, a list or -join
// ends it.
const evaluate = `
const fs = require("fs");
const { Parser, Language } = require(process.argv[1] + "/web-tree-sitter.cjs");
const value = (n) => {
  const kids = n.namedChildren;
  switch (n.type) {
  case "string_literal": {
    if (!n.text.startsWith("'")) throw new Error("a string that is evaluated: " + n.text);
    return n.text.slice(1, -1).replaceAll("''", "'");
  }
  case "integer_literal": return BigInt(n.text);
  case "generic_token": case "variable": return n.text;
  case "array_expression": {
    const inner = kids.map(value);
    return inner.length === 0 ? [] : Array.isArray(inner[0]) ? inner[0] : [inner[0]];
  }
  case "cast_expression": {
    const type = kids[0].text.toLowerCase(), v = value(kids[1]);
    const want = { "[int]": "bigint", "[long]": "bigint", "[string[]]": "object", "[byte[]]": "object", "[char[]]": "object" }[type];
    if (want !== typeof v) throw new Error("no " + type + ": " + n.text);
    return type === "[char[]]" ? v.map((c) => String.fromCharCode(Number(c))) : v;
  }
  case "expression_with_unary_operator": {
    const v = value(kids[kids.length - 1]);
    if (n.text.startsWith("-join")) return v.join("");
    if (n.text.startsWith("-")) return -v;
    if (kids.length === 1) return v;
    throw new Error("an operator: " + n.text);
  }
  }
  if (n.type === "array_literal_expression" && kids.length > 1) return kids.map(value);
  if (kids.length !== 1) throw new Error("an expression that is none of ours: " + n.type + " " + n.text);
  return value(kids[0]);
};
(async () => {
  await Parser.init();
  const parser = new Parser();
  parser.setLanguage(await Language.load(process.argv[2] + "/tree-sitter-powershell.wasm"));
  const all = {};
  const texts = JSON.parse(fs.readFileSync(0, "utf8"));
  for (const name of Object.keys(texts)) {
    const out = [];
    const walk = (n) => {
      if (n.isError || n.isMissing) throw new Error(name + ": line " + (n.startPosition.row + 1) + ": " + n.text.slice(0, 80));
      if (n.type === "function_statement" || n.type === "param_block") return;
      if (n.type === "command") {
        const c = { Name: n.childForFieldName("command_name").text, Args: {} };
        let key = "";
        for (const e of (n.childForFieldName("command_elements") || { namedChildren: [] }).namedChildren) {
          if (e.type === "command_parameter") key = e.text.slice(1);
          else if (e.type !== "command_argument_sep" && c.Name.includes("-Ipcguard")) c.Args[key] = value(e);
        }
        out.push(c);
        return;
      }
      n.children.forEach(walk);
    };
    const tree = parser.parse(texts[name]);
    walk(tree.rootNode);
    tree.delete();
    all[name] = out;
  }
  console.log(JSON.stringify(all, (k, v) => typeof v === "bigint" ? v.toString() : v));
})();
`

func readScripts(t testing.TB, scripts map[string]string) map[string][]scriptCommand {
	t.Helper()
	in, err := json.Marshal(scripts)
	if err != nil {
		t.Fatal(err)
	}
	// The grammar is large: without the optimising compiler it is ready in a third of a second instead of ten.
	cmd := exec.Command("node", "--liftoff-only", "-e", evaluate, peer.Npm(t, "web-tree-sitter-0.27.1"),
		peer.Npm(t, "tree-sitter-powershell-0.26.4"))
	cmd.Stdin = strings.NewReader(string(in))
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v %s", err, trouble.String())
	}
	all := map[string][]scriptCommand{}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v in %.500s", err, out)
	}
	return all
}

// carryOut is what .NET's Registry makes of the scripts' two functions for values.
func (c scriptCommand) carryOut(t testing.TB, r *registry.Tree) {
	t.Helper()
	text := func(name string) string { s, _ := c.Args[name].(string); return s }
	key, name := `HKLM\`+text("Key"), text("Name")
	switch c.Name {
	case "Remove-IpcguardValue":
		r.DeleteValue(key, name)
		return
	case "Set-IpcguardValue":
	default:
		return
	}
	list, _ := model.List(c.Args["Data"])
	number := func() int64 {
		var n int64
		if _, err := fmt.Sscan(text("Data"), &n); err != nil {
			t.Fatalf("%s: %#v: %v", name, c.Args["Data"], err)
		}
		return n
	}
	switch kind := text("Kind"); kind {
	case "DWord":
		r.Set(registry.NewDWord(key, name, uint32(int32(number()))))
	case "QWord":
		r.Set(registry.NewQWord(key, name, uint64(number())))
	case "MultiString":
		if _, ok := c.Args["Data"].([]any); !ok {
			t.Fatalf("%s: a list is %#v", name, c.Args["Data"])
		}
		r.Set(registry.NewStrings(key, name, list))
	case "String", "ExpandString":
		v := registry.NewText(key, name, text("Data"))
		if kind == "ExpandString" {
			v.Type = registry.ExpandSZ
		}
		r.Set(v)
	case "Binary":
		v := registry.Value{Key: key, Name: name, Type: registry.Binary, Data: []byte{}}
		for _, digits := range list {
			var n byte
			if _, err := fmt.Sscan(digits, &n); err != nil {
				t.Fatal(err)
			}
			v.Data = append(v.Data, n)
		}
		r.Set(v)
	default:
		t.Fatalf("%s: kind %q", name, kind)
	}
}
