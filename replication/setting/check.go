package setting

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a record, in bytes where it is text.
const (
	MaxID          = 64
	MaxName        = 255
	MaxDescription = 4096
	maxValues      = 128
	maxValue       = 256 // of a value and of its name
)

// check refuses what cannot be kept.
func (r Record) check() error {
	if r.Kind != Storage && r.Kind != Replication {
		return invalid("kind", "there is none called %.32q", r.Kind)
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	switch {
	case r.Name == "":
		return invalid("name", "a name is needed")
	case len(r.Name) > MaxName:
		return invalid("name", "has more than %d bytes", MaxName)
	case !printable(r.Name, ""):
		return invalid("name", "has characters that cannot be printed")
	case strings.TrimSpace(r.Name) != r.Name:
		return invalid("name", "begins or ends with a space")
	case len(r.Description) > MaxDescription:
		return invalid("description", "has more than %d bytes", MaxDescription)
	case !printable(r.Description, "\t\n\r"):
		return invalid("description", "has characters that cannot be printed")
	case len(r.Values) > maxValues:
		return invalid("values", "there are more than %d", maxValues)
	}
	for name, v := range r.Values {
		if name == "" || len(name) > maxValue || len(v) > maxValue || !utf8.ValidString(name+v) {
			return invalid("values", "that of %.64q is too long or no text", name)
		}
	}
	return nil
}

// checkID wants letters, digits and "-._", so that an identifier can stand in any
// path and URI.
func checkID(id string) error {
	switch {
	case id == "" || len(id) > MaxID:
		return invalid("id", "has 1 to %d characters", MaxID)
	case strings.ContainsFunc(id, func(r rune) bool { return !plain(r) }):
		return invalid("id", "has letters, digits and '-', '.', '_' only")
	}
	return nil
}

func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._", r)
}

// printable says whether a text is UTF-8 of characters that show, or are in also.
func printable(s, also string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) && !strings.ContainsRune(also, r)
	})
}

// InvalidError says why a record cannot be kept.
type InvalidError struct {
	Field string // id, kind, name, description or values
	Msg   string
}

// Error is "Field: Msg".
func (e *InvalidError) Error() string { return e.Field + ": " + e.Msg }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Msg: fmt.Sprintf(format, args...)}
}
