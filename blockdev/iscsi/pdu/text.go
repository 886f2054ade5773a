package pdu

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of text (RFC 7143 section 6.1); values are allowed to be as long as
// the longest binary value in its longest form.
const (
	maxKeyName  = 63
	maxKeyValue = 8192
)

// Failures of text parsing.
var (
	ErrText         = errors.New("pdu: malformed text")
	ErrTextTooLong  = errors.New("pdu: text is longer than allowed")
	ErrDuplicateKey = errors.New("pdu: key is there twice")
)

// Key is one key=value pair.
type Key struct{ Name, Value string }

// Keys is the pairs of a text in their order.
type Keys []Key

// Get is the value of the first pair of that name.
func (k Keys) Get(name string) (string, bool) {
	for _, e := range k {
		if e.Name == name {
			return e.Value, true
		}
	}
	return "", false
}

// Unique is nil if no name is there twice.
func (k Keys) Unique() error {
	seen := make(map[string]bool, len(k))
	for _, e := range k {
		if seen[e.Name] {
			return fmt.Errorf("%w: %s", ErrDuplicateKey, e.Name)
		}
		seen[e.Name] = true
	}
	return nil
}

// Append puts the text of the pairs behind b.
func (k Keys) Append(b []byte) []byte {
	for _, e := range k {
		b = append(b, e.Name...)
		b = append(b, '=')
		b = append(b, e.Value...)
		b = append(b, 0)
	}
	return b
}

// ParseKeys takes a whole text apart: pairs, each ended by a zero byte. Names
// may be there twice, as in answers to SendTargets.
func ParseKeys(b []byte) (Keys, error) {
	var keys Keys
	for len(b) > 0 {
		pair, rest, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return nil, fmt.Errorf("%w: no zero byte at the end", ErrText)
		}
		b = rest
		if len(pair) == 0 {
			continue // some initiators pad with zeros and count them
		}
		k, err := parsePair(pair)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parsePair(pair []byte) (Key, error) {
	name, value, ok := bytes.Cut(pair, []byte{'='})
	if !ok || len(name) == 0 {
		return Key{}, fmt.Errorf("%w: no key=value", ErrText)
	}
	if len(name) > maxKeyName || len(value) > maxKeyValue {
		return Key{}, fmt.Errorf("%w: key or value", ErrTextTooLong)
	}
	for _, c := range name {
		if !nameByte(c) {
			return Key{}, fmt.Errorf("%w: key name %q", ErrText, name)
		}
	}
	return Key{string(name), string(value)}, nil
}

// nameByte is what RFC 7143 section 6.1 allows in a key name, and what vendors
// put there.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte(".-+@_/:#", c) >= 0
}

// TextBuffer collects a text that comes in several PDUs (the C bit), up to Max bytes.
type TextBuffer struct {
	Max int
	buf []byte
}

// Room says whether n more bytes fit.
func (t *TextBuffer) Room(n int) bool { return len(t.buf)+n <= t.Max }

// Add takes the data of a PDU. With more, the text goes on in the next PDU and
// the keys are nil; otherwise the keys are those of the whole text, and the
// buffer is empty again.
func (t *TextBuffer) Add(data []byte, more bool) (Keys, error) {
	if !t.Room(len(data)) {
		return nil, ErrTextTooLong
	}
	t.buf = append(t.buf, data...)
	if more {
		return nil, nil
	}
	keys, err := ParseKeys(t.buf)
	t.buf = t.buf[:0]
	return keys, err
}

// ParseNumber reads a numerical value, decimal or 0x hexadecimal, in [0, 2^32).
func ParseNumber(s string) (uint32, error) {
	base := 10
	if len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") {
		s, base = s[2:], 16
	}
	n, err := strconv.ParseUint(s, base, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: number %q", ErrText, s)
	}
	return uint32(n), nil
}

// ParseBinary reads a large binary value in hexadecimal (0x) or base64 (0b) of
// at most limit bytes.
func ParseBinary(s string, limit int) ([]byte, error) {
	if len(s) < 3 || len(s) > 4+2*limit {
		return nil, fmt.Errorf("%w: binary value", ErrText)
	}
	var b []byte
	var err error
	switch s[:2] {
	case "0x", "0X":
		digits := s[2:]
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		b, err = hex.DecodeString(digits)
	case "0b", "0B":
		b, err = base64.StdEncoding.DecodeString(s[2:])
	default:
		err = ErrText
	}
	if err != nil || len(b) > limit {
		return nil, fmt.Errorf("%w: binary value", ErrText)
	}
	return b, nil
}

// FormatBinary is the hexadecimal form of a large binary value.
func FormatBinary(b []byte) string { return "0x" + hex.EncodeToString(b) }
