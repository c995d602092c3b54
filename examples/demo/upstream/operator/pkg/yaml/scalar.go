package yaml

import (
	"regexp"
	"strconv"
	"strings"
)

var (
	integer = regexp.MustCompile(`^[-+]?(0x[0-9a-fA-F]+|0o?[0-7]+|0b[01]+|0|[1-9][0-9]*)$`)
	float   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// resolve gives a plain scalar its type.
func resolve(text string) any {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y":
		return true
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N":
		return false
	}
	if integer.MatchString(text) {
		if number, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 0, 64); err == nil {
			return number
		}
	}
	if float.MatchString(text) {
		if number, err := strconv.ParseFloat(text, 64); err == nil {
			return number
		}
	}
	return text
}

// block reads a literal (`|`) or folded (`>`) scalar.
func (p *parser) block(parent int) string {
	header, _ := cutComment(p.lines[p.line][p.column:])
	folded, chomp, indent := header[0] == '>', byte(0), 0
	for _, mark := range []byte(header[1:]) {
		switch {
		case mark == '-' || mark == '+':
			chomp = mark
		case mark >= '1' && mark <= '9':
			indent = max(parent, 0) + int(mark-'0')
		default:
			p.fail("not a header of a block: %s", header)
		}
	}
	p.line++
	p.column = 0
	var lines []string
	for ; p.line < len(p.lines) && !isBoundary(p.lines[p.line]); p.line++ {
		line := p.lines[p.line]
		at := len(line) - len(strings.TrimLeft(line, " "))
		if strings.TrimLeft(line, " ") == "" {
			lines = append(lines, line[min(len(line), max(indent, 0)):])
			if indent == 0 {
				lines[len(lines)-1] = ""
			}
			continue
		}
		if indent == 0 && at > parent {
			indent = at
		}
		if at < indent || at <= parent {
			break
		}
		lines = append(lines, line[indent:])
	}
	return chomped(lines, folded, chomp)
}

func chomped(lines []string, folded bool, chomp byte) string {
	last := len(lines)
	for last > 0 && lines[last-1] == "" {
		last--
	}
	text := strings.Join(lines[:last], "\n")
	if folded {
		text = foldLines(lines[:last])
	}
	switch {
	case chomp == '-' || (last == 0 && chomp != '+'):
		return text
	case chomp == '+':
		return text + strings.Repeat("\n", len(lines)-last+min(last, 1))
	default:
		return text + "\n"
	}
}

// foldLines joins neighbouring lines by a space; lines that are indented deeper stay as they are.
func foldLines(lines []string) string {
	var text strings.Builder
	deeper := func(line string) bool { return strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") }
	blank := 0
	previous := ""
	for i, line := range lines {
		if line == "" {
			blank++
			continue
		}
		switch {
		case i == blank: // nothing but blank lines before
			text.WriteString(strings.Repeat("\n", blank))
		case deeper(line) || deeper(previous):
			text.WriteString(strings.Repeat("\n", blank+1))
		default:
			text.WriteString(fold(blank))
		}
		text.WriteString(line)
		previous, blank = line, 0
	}
	return text.String()
}

// quoted reads a quoted scalar at the column, and ends behind it.
func (p *parser) quoted() string {
	quote := p.lines[p.line][p.column]
	var text strings.Builder
	p.column++
	for {
		line := p.lines[p.line]
		if p.column >= len(line) {
			p.foldQuoted(&text)
			continue
		}
		current := line[p.column]
		p.column++
		switch {
		case current == quote && quote == '\'' && strings.HasPrefix(line[p.column:], "'"):
			text.WriteByte('\'')
			p.column++
		case current == quote:
			return text.String()
		case current == '\\' && quote == '"':
			p.escape(&text)
		default:
			text.WriteByte(current)
		}
	}
}

// foldQuoted goes to the next line of a quoted scalar.
func (p *parser) foldQuoted(text *strings.Builder) {
	so := strings.TrimRight(text.String(), " \t")
	text.Reset()
	text.WriteString(so)
	text.WriteString(fold(p.skipBlank()))
}

// skipBlank goes to the first character of the next line that has any, and counts the blank lines between.
func (p *parser) skipBlank() (blank int) {
	for p.line++; p.line < len(p.lines); p.line++ {
		line := p.lines[p.line]
		if strings.TrimSpace(line) != "" {
			p.column = len(line) - len(strings.TrimLeft(line, " \t"))
			return blank
		}
		blank++
	}
	p.line--
	p.fail("a quoted text does not end")
	return blank
}

var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b", ' ': " ", '"': `"`,
	'/': "/", '\\': `\`, 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

func (p *parser) escape(text *strings.Builder) {
	line := p.lines[p.line]
	if p.column >= len(line) {
		// A backslash at the end of a line: the text goes on without a space.
		text.WriteString(strings.Repeat("\n", p.skipBlank()))
		return
	}
	mark := line[p.column]
	p.column++
	if plain, ok := escapes[mark]; ok {
		text.WriteString(plain)
		return
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[mark]
	if digits == 0 || p.column+digits > len(line) {
		p.fail("unknown escape \\%c", mark)
	}
	code, err := strconv.ParseUint(line[p.column:p.column+digits], 16, 32)
	if err != nil {
		p.fail("unknown escape \\%c", mark)
	}
	p.column += digits
	// Beyond the basic plane JSON writes two halves.
	if code >= 0xd800 && code < 0xdc00 && strings.HasPrefix(line[p.column:], `\u`) && p.column+6 <= len(line) {
		if low, err := strconv.ParseUint(line[p.column+2:p.column+6], 16, 32); err == nil {
			code = 0x10000 + (code-0xd800)<<10 + (low - 0xdc00)
			p.column += 6
		}
	}
	text.WriteRune(rune(code))
}
