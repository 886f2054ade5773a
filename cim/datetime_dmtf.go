package cim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Layouts of the DMTF form (DSP0004 section 5.2.4): yyyymmddhhmmss.mmmmmmsutc,
// where s is the sign of the offset in minutes, and ddddddddhhmmss.mmmmmm:000.
const (
	dmtfLen  = 25
	dmtfDot  = 14
	dmtfSign = 21
)

// distantFuture is how DSP0004 writes a time beyond what the form can hold.
const distantFuture = "99991231115959.999999+720"

// ParseDateTime reads a datetime in the DMTF form of 25 characters, or as an XSD
// dateTime, date or duration. Fields of the DMTF form that are asterisks (not
// significant) get their lowest value, and offset 0. An XSD time without a zone
// is UTC. Years and months of an XSD duration must be 0, because they have no
// length. Digits beyond microseconds are dropped.
func ParseDateTime(s string) (DateTime, error) {
	var d DateTime
	var ok bool
	switch {
	case len(s) == dmtfLen && s[dmtfDot] == '.' && s[dmtfSign] == ':':
		d, ok = parseInterval(s)
	case len(s) == dmtfLen && s[dmtfDot] == '.':
		d, ok = parsePoint(s)
	case strings.HasPrefix(s, "P"):
		d, ok = parseXSDDuration(s)
	default:
		d, ok = parseXSDTime(s)
	}
	if !ok {
		return DateTime{}, fmt.Errorf("not a datetime: %q", clip(s))
	}
	return d, nil
}

// String is the datetime in DMTF form, cut to microseconds.
func (d DateTime) String() string {
	if d.IsInterval {
		return formatInterval(d.Interval)
	}
	return formatPoint(d.Time)
}

// Equal says whether both are the same instant or intervals of the same length.
func (d DateTime) Equal(e DateTime) bool {
	return d.IsInterval == e.IsInterval && d.Interval == e.Interval && d.Time.Equal(e.Time)
}

func formatPoint(t time.Time) string {
	_, seconds := t.Zone()
	minutes := seconds / 60
	if seconds%60 != 0 || minutes > 999 || minutes < -999 {
		t, minutes = t.UTC(), 0
	}
	switch y := t.Year(); {
	case y > 9999:
		return distantFuture
	case y < 0:
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
		minutes = 0
	}
	return t.Format("20060102150405.000000") + fmt.Sprintf("%+04d", minutes)
}

func formatInterval(d time.Duration) string {
	d = max(d, 0)
	us := d / time.Microsecond % 1e6
	s := d / time.Second
	return fmt.Sprintf("%08d%02d%02d%02d.%06d:000", s/86400, s/3600%24, s/60%60, s%60, us)
}

// fields cuts a text into numbers of fixed width and keeps in ok whether all of
// them were digits, or asterisks, which stand for the lowest value.
type fields struct {
	rest string
	ok   bool
}

func (f *fields) next(width, lowest int) int {
	word := f.rest[:width]
	f.rest = f.rest[width:]
	if word == strings.Repeat("*", width) {
		return lowest
	}
	n := 0
	for _, c := range []byte(word) {
		if c < '0' || c > '9' {
			f.ok = false
			return lowest
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// micros reads a point and six digits, of which the last may be asterisks.
func (f *fields) micros() time.Duration {
	word := strings.TrimRight(f.rest[1:7], "*")
	f.rest = f.rest[7:]
	word += strings.Repeat("0", 6-len(word))
	n, err := strconv.ParseUint(word, 10, 32)
	f.ok = f.ok && err == nil
	return time.Duration(n) * time.Microsecond
}

func parsePoint(s string) (DateTime, bool) {
	f := fields{rest: s, ok: true}
	y, mon, day := f.next(4, 0), f.next(2, 1), f.next(2, 1)
	h, m, sec := f.next(2, 0), f.next(2, 0), f.next(2, 0)
	us := f.micros()
	sign := f.rest[0]
	f.rest = f.rest[1:]
	offset := f.next(3, 0)
	if sign == '-' {
		offset = -offset
	}
	zone := time.UTC
	if offset != 0 {
		zone = time.FixedZone("", offset*60)
	}
	t := time.Date(y, time.Month(mon), day, h, m, sec, int(us), zone)
	// time.Date carries what is too large into the next field.
	ok := f.ok && (sign == '+' || sign == '-') && h < 24 && m < 60 && sec < 60 &&
		t.Year() == y && int(t.Month()) == mon && t.Day() == day
	return DateTime{Time: t}, ok
}

func parseInterval(s string) (DateTime, bool) {
	const mostDays = int(1<<63-1)/int(24*time.Hour) - 1
	f := fields{rest: s, ok: true}
	days := f.next(8, 0)
	h, m, sec := f.next(2, 0), f.next(2, 0), f.next(2, 0)
	us := f.micros()
	ok := f.ok && f.rest == ":000" && days <= mostDays && h < 24 && m < 60 && sec < 60
	if !ok {
		return DateTime{}, false
	}
	whole := ((days*24+h)*60+m)*60 + sec
	return DateTime{Interval: time.Duration(whole)*time.Second + us, IsInterval: true}, true
}
