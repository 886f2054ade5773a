package cim

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// ParseText reads one value of a declared type from the text that WS-Man
// (DSP0230 section 6) and command lines carry:
//
//	Boolean    true and false in any case, 1 and 0
//	integers   decimal, or hexadecimal after 0x; a sign where it makes sense
//	reals      decimal with or without an exponent; INF, -INF, NaN
//	Datetime   see ParseDateTime
//	Char16     one character of the basic multilingual plane
//	String     the text itself, blanks and all
//
// White space around everything but String and Char16 is ignored. A Reference
// has no such text. A number out of the range of its type is an error.
func ParseText(t Type, s string) (Value, error) {
	switch {
	case t.Signed(), t.Unsigned() && t != Char16:
		return parseInteger(t, strings.TrimSpace(s))
	case t.Real():
		return parseReal(t, strings.TrimSpace(s))
	}
	switch t {
	case String:
		return s, nil
	case Char16:
		return parseChar(s)
	case Boolean:
		return parseBool(strings.TrimSpace(s))
	case Datetime:
		return parseDatetimeValue(strings.TrimSpace(s))
	default:
		return nil, fmt.Errorf("%s has no text form", t)
	}
}

func parseBool(s string) (Value, error) {
	switch strings.ToLower(s) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return nil, fmt.Errorf("want true or false, have %q", clip(s))
}

func parseChar(s string) (Value, error) {
	u := utf16.Encode([]rune(clip(s)))
	if len(u) != 1 {
		return nil, fmt.Errorf("want one character, have %q", clip(s))
	}
	return uint64(u[0]), nil
}

func parseDatetimeValue(s string) (Value, error) {
	d, err := ParseDateTime(s)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parseInteger(t Type, s string) (Value, error) {
	digits, neg := strings.CutPrefix(s, "-")
	if !neg {
		digits = strings.TrimPrefix(s, "+")
	}
	base := 10
	if len(digits) > 2 && strings.EqualFold(digits[:2], "0x") {
		digits, base = digits[2:], 16
	}
	mag, err := strconv.ParseUint(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return nil, fmt.Errorf("%s is out of the range of %s", clip(s), t)
	case err != nil:
		return nil, fmt.Errorf("want %s, have %q", t, clip(s))
	}
	return number{neg: neg, mag: mag}.as(t)
}

func parseReal(t Type, s string) (Value, error) {
	if strings.ContainsAny(s, "xXpP_") {
		return nil, fmt.Errorf("want %s, have %q", t, clip(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return nil, fmt.Errorf("%s is out of the range of %s", clip(s), t)
	case err != nil:
		return nil, fmt.Errorf("want %s, have %q", t, clip(s))
	}
	return roundReal(f, t)
}

// clip keeps messages about a client's text short.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// FormatText is the text of a value: what ParseText reads, for all types but
// Char16, whose code unit it gives as a number. A datetime is in DMTF form, a
// reference is Path.String, NULL is empty, the entries of an array are separated
// by commas, and of an embedded instance only the class is named.
func FormatText(v Value) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case uint64:
		return strconv.FormatUint(x, 10)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return formatReal(x)
	case DateTime:
		return x.String()
	case *Path:
		return x.String()
	case *Instance:
		return "instance of " + x.Class.Name
	case []Value:
		return formatList(x)
	default:
		return fmt.Sprint(v)
	}
}

// formatReal is the XSD form (XSD part 2 section 3.2.5), which spells infinity
// its own way.
func formatReal(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	return strings.Replace(strings.TrimPrefix(s, "+"), "Inf", "INF", 1)
}

func formatList(list []Value) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = FormatText(e)
	}
	return strings.Join(texts, ",")
}
