package yaml

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"an empty text":                      {"", `null`},
		"documents and comments":             {"# a\n---\na: 1 # one\n---\n# nothing\n---\nb: 2\n...\n", `[{"a":1},{"b":2}]`},
		"nested collections":                 {"a:\n  b:\n  - c: 1\n    d: 2\n  -   - e\n      - f\n  g: []\n", `[{"a":{"b":[{"c":1,"d":2},["e","f"]],"g":[]}}]`},
		"a list that is not indented":        {"a:\n- b\n-\n  c: 1\n- \nd:\n", `[{"a":["b",{"c":1},null],"d":null}]`},
		"scalars of YAML 1.1":                {"a: yes\nb: \"yes\"\nc: 0644\nd: 1.5\ne: ~\nf: 1.2.3\ng: 0x1f\nh: -7\ni: 10m\nj: Off\nk: 1e3\n", `[{"a":true,"b":"yes","c":420,"d":1.5,"e":null,"f":"1.2.3","g":31,"h":-7,"i":"10m","j":false,"k":1000}]`},
		"plain texts with marks":             {"a: http://b:80/#c\nb: a#b -c # no\nc: x 'y' \"z\"\n", `[{"a":"http://b:80/#c","b":"a#b -c","c":"x 'y' \"z\""}]`},
		"plain texts over lines":             {"a: one\n  two\n\n  three # end\nb: 1\n", `[{"a":"one two\nthree","b":1}]`},
		"keys of all kinds":                  {"\"a: b\": 1\n'c''d': 2\ne f: 3\nhttp://x: 4\n", `[{"a: b":1,"c'd":2,"e f":3,"http://x":4}]`},
		"double quotes":                      {`a: "x\ty \"z\" \u00e9 \\ \/ \U0001F600 \ud83d\ude00"` + "\n", `[{"a":"x\ty \"z\" é \\ / 😀 😀"}]`},
		"quotes over lines":                  {"a: \"one\n  two\\\n  three\n\n  four\"\nb: 'it''s\n  fine'\n", `[{"a":"one twothree\nfour","b":"it's fine"}]`},
		"quotes over lines in a list":        {"- \"one: 1\n  two\"\n- 'three\n\n  four'\n", `[["one: 1 two","three\nfour"]]`},
		"a literal block":                    {"a: |\n  one\n    two # no comment\n\n  # three\nb: |-\n  x: y\n\nc: |+\n  z\n\nd: |2\n   one space\n", `[{"a":"one\n  two # no comment\n\n# three\n","b":"x: y","c":"z\n\n","d":" one space\n"}]`},
		"a folded block":                     {"a: >\n  one\n  two\n\n  three\n    deep\n  four\nb: >-\n  x\n  y\n", `[{"a":"one two\nthree\n  deep\nfour\n","b":"x y"}]`},
		"blocks in lists":                    {"- |\n  one\n- >-\n  two\n- a: |\n    three\n  b: 4\n", `[["one\n","two",{"a":"three\n","b":4}]]`},
		"a block at the end of the text":     {"a:\n  b: |\n    one\n    two", `[{"a":{"b":"one\ntwo\n"}}]`},
		"an empty block":                     {"a: |\nb: 1\n", `[{"a":"","b":1}]`},
		"flow collections":                   {"a: {b: [1, 'two', \"three\", {c: d}], e: , f: http://x}\ng: []\nh: {}\n", `[{"a":{"b":[1,"two","three",{"c":"d"}],"e":null,"f":"http://x"},"g":[],"h":{}}]`},
		"flow collections over lines":        {"args: [\n  # a comment, with a comma\n  \"-a\", \"b c\", # another ]\n  -d=e,\n]\nf: 1\n", `[{"args":["-a","b c","-d=e"],"f":1}]`},
		"JSON":                               {"{\"a\": {\"b\":[1,true,null]},\n \"c\":\"d\"}\n", `[{"a":{"b":[1,true,null]},"c":"d"}]`},
		"a document marker inside of a text": {"a: |\n  ---\n  b\n---\nc: --- \n", `[{"a":"---\nb\n"},{"c":"---"}]`},
		"dashes that are no item":            {"a:\n  - -flag\n  - --b=c\n  - \"- d\"\n", `[{"a":["-flag","--b=c","- d"]}]`},
		"Windows line ends":                  {"a: 1\r\nb:\r\n- c\r\n", `[{"a":1,"b":["c"]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			documents, err := Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			encoder := json.NewEncoder(&got)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(documents)
			if strings.TrimSpace(got.String()) != test.want {
				t.Errorf("got  %s\nwant %s", got.String(), test.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\na: 2\n":         "line 2: the key \"a\" stands twice",
		"a: &b 1\n":            "line 1: '&' is not supported",
		"a: *b\n":              "line 1: '*' is not supported",
		"a: !!str 1\n":         "line 1: '!' is not supported",
		"<<: 1\n":              "not supported here",
		"a: b: c\n":            "a key in the middle",
		"a:\n    b: 1\n  c: 2": "line 3: not indented like",
		"a: \"b\n":             "does not end",
		"a: [b\n":              "does not end",
		"a: \"b\" c\n":         "unexpected: c",
		"\ta: 1\n":             "a tab",
		"a: {b: 1, b: 2}\n":    "stands twice",
		"a: 1\nb\n":            "expected a key",
	} {
		if documents, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v and %v, want %s", text, documents, err, want)
		}
	}
}
