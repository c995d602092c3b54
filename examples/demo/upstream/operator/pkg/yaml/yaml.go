// Package yaml reads the YAML that Kubernetes manifests are written in: block and flow collections, plain, quoted and block scalars,
// comments, several documents. Scalars mean what they mean to the Kubernetes API (YAML 1.1: `yes` is true, 0644 is octal). Anchors, tags
// and complex keys are refused, not guessed.
package yaml

import (
	"fmt"
	"strings"
)

// Parse returns the documents of a text, each made of map[string]any, []any, string, bool, int64, float64 and nil. Empty documents are
// left out.
func Parse(text string) ([]any, error) {
	p := &parser{lines: strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")}
	var documents []any
	for p.line < len(p.lines) {
		document, err := p.document()
		if err != nil {
			return nil, err
		}
		if document != nil {
			documents = append(documents, document)
		}
	}
	return documents, nil
}

// A parser stands at a column of a line. Lines are read whole by the block functions; flow and quoted values move the column.
type parser struct {
	lines  []string
	line   int
	column int
}

type problem struct{ error }

func (p *parser) fail(format string, values ...any) {
	panic(problem{fmt.Errorf("line %d: %s", p.line+1, fmt.Sprintf(format, values...))})
}

func (p *parser) document() (document any, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			known, ok := thrown.(problem)
			if !ok {
				panic(thrown)
			}
			err = known.error
		}
	}()
	for p.line < len(p.lines) && isBoundary(p.lines[p.line]) {
		rest := strings.TrimSpace(p.lines[p.line][3:])
		if rest != "" && !strings.HasPrefix(rest, "#") {
			p.fail("content beside a document marker")
		}
		p.line++
	}
	document = p.node(0)
	if _, _, more := p.peek(); more {
		p.fail("not indented like what stands above")
	}
	return document, nil
}

func isBoundary(line string) bool {
	return line == "---" || line == "..." || strings.HasPrefix(line, "--- ")
}

// peek skips blank lines and comments, and returns indentation and content of the next line of this document.
func (p *parser) peek() (indent int, content string, ok bool) {
	for ; p.line < len(p.lines) && !isBoundary(p.lines[p.line]); p.line++ {
		content = strings.TrimLeft(p.lines[p.line], " ")
		if strings.HasPrefix(content, "\t") && strings.TrimSpace(content) != "" {
			p.fail("a tab in the indentation")
		}
		if strings.TrimSpace(content) != "" && !strings.HasPrefix(content, "#") {
			return len(p.lines[p.line]) - len(content), strings.TrimRight(content, " \t"), true
		}
	}
	return 0, "", false
}

// node reads what begins on the next line, if that is indented by at least least.
func (p *parser) node(least int) any {
	indent, content, ok := p.peek()
	if !ok || indent < least {
		return nil
	}
	if isItem(content) {
		return p.sequence(indent)
	}
	if _, _, isKey := p.key(content); isKey {
		return p.mapping(indent)
	}
	p.column = indent
	return p.value(least - 1)
}

func isItem(content string) bool {
	return content == "-" || strings.HasPrefix(content, "- ")
}

func (p *parser) sequence(indent int) []any {
	items := []any{}
	for {
		at, content, ok := p.peek()
		if !ok || at != indent || !isItem(content) {
			return items
		}
		// What follows the dash stands in a block of its own: `- a: 1` holds a mapping that is indented by two.
		p.lines[p.line] = strings.Repeat(" ", indent+1) + p.lines[p.line][indent+1:]
		items = append(items, p.node(indent+1))
	}
}

func (p *parser) mapping(indent int) map[string]any {
	entries := map[string]any{}
	for {
		at, content, ok := p.peek()
		if !ok || at != indent {
			return entries
		}
		key, rest, isKey := p.key(content)
		if !isKey {
			p.fail("expected a key: %s", content)
		}
		if _, twice := entries[key]; twice {
			p.fail("the key %q stands twice", key)
		}
		entries[key] = p.entry(indent, rest)
	}
}

// entry reads the value of a key: on the same line, or on those below, where a sequence need not be indented.
func (p *parser) entry(indent int, rest int) any {
	line := p.lines[p.line]
	start := len(line) - len(strings.TrimLeft(line[indent+rest:], " \t"))
	if text := line[start:]; text != "" && !strings.HasPrefix(text, "#") {
		p.column = start
		return p.value(indent)
	}
	p.line++
	if at, content, ok := p.peek(); ok && at == indent && isItem(content) {
		return p.sequence(indent)
	}
	return p.node(indent + 1)
}

// key splits `key: value`, and says where the value begins.
func (p *parser) key(content string) (key string, rest int, ok bool) {
	if content[0] == '"' || content[0] == '\'' {
		end := closing(content)
		if end < 0 || !strings.HasPrefix(content[end+1:], ":") {
			return "", 0, false
		}
		inner := &parser{lines: []string{content[:end+1]}}
		return inner.quoted(), end + 2, true
	}
	if strings.ContainsAny(content[:1], "[{") {
		return "", 0, false
	}
	end := colon(content)
	if end < 0 {
		return "", 0, false
	}
	if strings.ContainsAny(content[:1], "?&*!|>%@`") || content[:end] == "<<" {
		p.fail("not supported here: %s", content)
	}
	return strings.TrimRight(content[:end], " \t"), end + 1, true
}

// closing finds the quote that ends a quoted text on its first line, or returns -1.
func closing(content string) int {
	for i := 1; i < len(content); i++ {
		switch {
		case content[i] == '\\' && content[0] == '"':
			i++
		case content[i] == content[0] && content[0] == '\'' && strings.HasPrefix(content[i+1:], "'"):
			i++
		case content[i] == content[0]:
			return i
		}
	}
	return -1
}

// colon finds the colon that ends a plain key, before any comment.
func colon(content string) int {
	for i := 0; i < len(content); i++ {
		switch {
		case content[i] == '#' && i > 0 && content[i-1] == ' ':
			return -1
		case content[i] == ':' && (i+1 == len(content) || content[i+1] == ' ' || content[i+1] == '\t'):
			return i
		}
	}
	return -1
}

// value reads a scalar or flow collection at the column, and ends at the beginning of a line. parent is the indentation around it.
func (p *parser) value(parent int) any {
	switch first := p.lines[p.line][p.column]; first {
	case '|', '>':
		return p.block(parent)
	case '"', '\'':
		text := p.quoted()
		p.endLine()
		return text
	case '[', '{':
		collection := p.flow()
		p.endLine()
		return collection
	case '&', '*', '!', '%', '@', '`':
		p.fail("%q is not supported", first)
		return nil
	default:
		return p.plain(parent)
	}
}

func (p *parser) endLine() {
	rest := strings.TrimSpace(p.lines[p.line][p.column:])
	if rest != "" && !strings.HasPrefix(rest, "#") {
		p.fail("unexpected: %s", rest)
	}
	p.line++
	p.column = 0
}

// plain reads an unquoted scalar; lines below that are indented deeper go on with it.
func (p *parser) plain(parent int) any {
	text, commented := cutComment(p.lines[p.line][p.column:])
	if colon(text) >= 0 {
		p.fail("a key in the middle of a line: %s", text)
	}
	p.line++
	p.column = 0
	single, blank := true, 0
	for ; !commented && p.line < len(p.lines) && !isBoundary(p.lines[p.line]); p.line++ {
		line := p.lines[p.line]
		content := strings.TrimSpace(line)
		if content == "" {
			blank++
			continue
		}
		if len(line)-len(strings.TrimLeft(line, " ")) <= parent || strings.HasPrefix(content, "#") {
			break
		}
		content, commented = cutComment(content)
		if colon(content) >= 0 {
			p.fail("a key in the middle of a text: %s", content)
		}
		text += fold(blank) + content
		single, blank = false, 0
	}
	if single {
		return resolve(text)
	}
	return text
}

func cutComment(text string) (string, bool) {
	for i := 1; i < len(text); i++ {
		if text[i] == '#' && (text[i-1] == ' ' || text[i-1] == '\t') {
			return strings.TrimSpace(text[:i]), true
		}
	}
	return strings.TrimSpace(text), false
}

// fold is what a line break stands for, with so many blank lines behind it.
func fold(blank int) string {
	if blank == 0 {
		return " "
	}
	return strings.Repeat("\n", blank)
}
