package yaml

import "strings"

// flow reads `[…]` or `{…}` at the column, over as many lines as it takes, and ends behind it.
func (p *parser) flow() any {
	if p.lines[p.line][p.column] == '[' {
		return p.flowSequence()
	}
	return p.flowMapping()
}

func (p *parser) flowSequence() []any {
	items := []any{}
	p.column++
	for {
		if p.skipSpace() == ']' {
			p.column++
			return items
		}
		items = append(items, p.flowValue())
		p.comma(']')
	}
}

func (p *parser) flowMapping() map[string]any {
	entries := map[string]any{}
	p.column++
	for {
		first := p.skipSpace()
		if first == '}' {
			p.column++
			return entries
		}
		var key string
		if first == '"' || first == '\'' {
			key = p.quoted()
		} else {
			key = p.flowPlain()
		}
		if _, twice := entries[key]; twice {
			p.fail("the key %q stands twice", key)
		}
		var value any
		if p.skipSpace() == ':' {
			p.column++
			if next := p.skipSpace(); next != ',' && next != '}' {
				value = p.flowValue()
			}
		}
		entries[key] = value
		p.comma('}')
	}
}

func (p *parser) flowValue() any {
	switch first := p.skipSpace(); first {
	case '[', '{':
		return p.flow()
	case '"', '\'':
		return p.quoted()
	case '&', '*', '!', '|', '>', '%', '@', '`':
		p.fail("%q is not supported here", first)
		return nil
	default:
		return resolve(p.flowPlain())
	}
}

// comma goes behind a comma, or stops before the end.
func (p *parser) comma(end byte) {
	switch next := p.skipSpace(); next {
	case ',':
		p.column++
	case end:
	default:
		p.fail("expected , or %c, not %c", end, next)
	}
}

func (p *parser) flowPlain() string {
	line := p.lines[p.line]
	start := p.column
	for ; p.column < len(line); p.column++ {
		rest := line[p.column:]
		if strings.ContainsAny(rest[:1], ",[]{}") || rest == ":" || strings.HasPrefix(rest, ": ") || strings.HasPrefix(rest, " #") {
			break
		}
		if rest[0] == ':' && len(rest) > 1 && strings.ContainsAny(rest[1:2], ",[]{}") {
			break
		}
	}
	if p.column == start {
		p.fail("expected a value: %s", line[start:])
	}
	return strings.TrimSpace(line[start:p.column])
}

// skipSpace goes to the next character that counts, and returns it.
func (p *parser) skipSpace() byte {
	for p.line < len(p.lines) {
		line := p.lines[p.line]
		for p.column < len(line) && (line[p.column] == ' ' || line[p.column] == '\t') {
			p.column++
		}
		atComment := p.column < len(line) && line[p.column] == '#' && (p.column == 0 || line[p.column-1] == ' ' || line[p.column-1] == '\t')
		if p.column < len(line) && !atComment {
			return line[p.column]
		}
		p.line++
		p.column = 0
	}
	p.line--
	p.fail("a list or mapping does not end")
	return 0
}
