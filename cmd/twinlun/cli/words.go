package cli

import "strings"

// special are the characters that a backslash takes their meaning from. A
// backslash before any other character stands for itself.
const special = `,;{}\`

// split cuts a word at each sep that neither stands in braces nor after a
// backslash. Backslashes stay: unescape takes them from the parts.
func split(word string, sep byte) []string {
	var parts []string
	depth, begin := 0, 0
	for i := 0; i < len(word); i++ {
		switch c := word[i]; {
		case c == '\\' && i+1 < len(word) && strings.IndexByte(special, word[i+1]) >= 0:
			i++
		case c == sep && depth == 0:
			parts = append(parts, word[begin:i])
			begin = i + 1
		case c == '{':
			depth++
		case c == '}':
			depth = max(0, depth-1)
		}
	}
	return append(parts, word[begin:])
}

// unescape takes the backslashes off that stand before special characters.
func unescape(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		if word[i] == '\\' && i+1 < len(word) && strings.IndexByte(special, word[i+1]) >= 0 {
			i++
		}
		b.WriteByte(word[i])
	}
	return b.String()
}
