package psobject

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []Object
	}{
		"list": {
			"\r\n\r\nEncryptData      : False\r\nNullSessionPipes : ,netlogon,samr\r\nEmpty            : \r\n\r\n",
			[]Object{{"EncryptData": "False", "NullSessionPipes": ",netlogon,samr", "Empty": ""}},
		},
		"a value that goes on": {
			"Name : a\nPipes : netlogon,\n        samr\nLast : 1\n",
			[]Object{{"Name": "a", "Pipes": "netlogon,samr", "Last": "1"}},
		},
		"a value with a colon":     {"Path : C:\\Windows\n", []Object{{"Path": `C:\Windows`}}},
		"two objects":              {"A : 1\n\nA : 2\n", []Object{{"A": "1"}, {"A": "2"}}},
		"two without a blank line": {"A : 1\nA : 2\n", []Object{{"A": "1"}, {"A": "2"}}},
		"JSON": {
			"{\"A\": true, \"B\": null, \"C\": 12, \"D\": [\"x\", \"y\"], \"E\": {\"f\": 1}}",
			[]Object{{"A": "True", "B": "", "C": "12", "D": "x,y"}},
		},
		"JSON, several": {"[{\"A\": \"1\"}, {\"A\": \"2\"}]", []Object{{"A": "1"}, {"A": "2"}}},
		"CLIXML": {
			`<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj RefId="0"><TN RefId="0"><T>x</T></TN><ToString>y</ToString><Props><S N="A">1</S><B N="B">false</B><Obj N="C" RefId="1"><LST><S>x</S><S>y</S></LST></Obj><Obj N="E" RefId="2"><Props><S N="F">no</S></Props></Obj></Props></Obj><Obj RefId="3"><Props><S N="A">2</S></Props></Obj></Objs>`,
			[]Object{{"A": "1", "B": "False", "C": "x,y"}, {"A": "2"}},
		},
		"CSV": {
			"#TYPE Some.Type\r\n\"A\",\"B\"\r\n\"1\",\"x, y\"\r\n",
			[]Object{{"A": "1", "B": "x, y"}},
		},
		"CSV with semicolons": {"\"A\";\"B\"\n\"1\";\"2\"\n", []Object{{"A": "1", "B": "2"}}},
		"table": {
			"\nName   ScopeName Path       Description\n----   --------- ----       -----------\nADMIN$ *         " +
				"C:\\Windows Remoteverwaltung\nIPC$   *                    Remote-IPC\nBüro   *         C:\\B       \n",
			[]Object{
				{"Name": "ADMIN$", "ScopeName": "*", "Path": `C:\Windows`, "Description": "Remoteverwaltung"},
				{"Name": "IPC$", "ScopeName": "*", "Path": "", "Description": "Remote-IPC"},
				{"Name": "Büro", "ScopeName": "*", "Path": `C:\B`, "Description": ""},
			},
		},
	} {
		got, err := Parse(tt.text)
		if err != nil || len(got) != len(tt.want) {
			t.Errorf("%s: %q, %v", name, got, err)
			continue
		}
		for i, o := range tt.want {
			if len(got[i]) != len(o) {
				t.Errorf("%s: %q, want %q", name, got[i], o)
			}
			for k, v := range o {
				if g, ok := got[i].Get(strings.ToLower(k)); !ok || g != v {
					t.Errorf("%s: %s is %q, want %q", name, k, g, v)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "text": "some text\n", "a sentence with a colon": "not this: x\n", "an array of texts": `["a"]`,
		"broken JSON": `{"A":`,
		"deep JSON":   `{"A":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}", "no objects": "[]",
	} {
		if out, err := Parse(text); err == nil {
			t.Errorf("%s: %q", name, out)
		}
	}
	many := strings.Repeat("A : 1\n", maxObjects)
	if out, err := Parse(many); err != nil || len(out) != maxObjects {
		t.Errorf("%d objects, %v", len(out), err)
	}
	if _, err := Parse(many + "A : 1\n"); !errors.Is(err, ErrLimits) {
		t.Errorf("%v", err)
	}
	if _, err := Parse("\"A\"\n" + strings.Repeat("\"1\"\n", maxObjects+1)); !errors.Is(err, ErrLimits) {
		t.Errorf("%v", err)
	}
	if _, err := Parse("A B\n- -\n" + strings.Repeat("1 2\n", maxObjects+1)); !errors.Is(err, ErrLimits) {
		t.Errorf("%v", err)
	}
}

// FuzzParse: what is read is no larger than the text.
func FuzzParse(f *testing.F) {
	f.Add("A : 1\n    x\nB : 2\n")
	f.Add("A B\n- -\n1 2\n")
	f.Add(`[{"A":[1,true]}]`)
	f.Add("\"A\";\"B\"\n1;2\n")
	f.Add(`<Objs><Obj><Props><S N="A">1</S><B N="B">t</B><Obj N="C"><LST><S>x</S></LST></Obj></Props></Obj></Objs>`)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Parse(text)
		if err == nil && len(out) == 0 || len(out) > len(text) {
			t.Fatalf("%d objects of %d bytes, %v", len(out), len(text), err)
		}
	})
}
