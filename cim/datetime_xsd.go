package cim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// XSD is the datetime as XML Schema writes it: a dateTime with its zone, or a
// duration in days, hours, minutes and seconds; cut to microseconds.
func (d DateTime) XSD() string {
	if !d.IsInterval {
		return d.Time.Format("2006-01-02T15:04:05.999999Z07:00")
	}
	v := max(d.Interval, 0).Truncate(time.Microsecond)
	day := v / (24 * time.Hour)
	h, m := v/time.Hour%24, v/time.Minute%60
	text := fmt.Sprintf("P%dDT%dH%dM%d", day, h, m, v/time.Second%60)
	if micro := v % time.Second / time.Microsecond; micro > 0 {
		text += strings.TrimRight(fmt.Sprintf(".%06d", micro), "0")
	}
	return text + "S"
}

// xsdLayouts are dateTime and date (XSD part 2 sections 3.2.7 and 3.2.9), with a
// zone and without.
var xsdLayouts = [...]string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02Z07:00", "2006-01-02",
}

func parseXSDTime(s string) (DateTime, bool) {
	for _, layout := range xsdLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return DateTime{Time: t.Truncate(time.Microsecond)}, true
		}
	}
	return DateTime{}, false
}

// duration collects the fields of an XSD duration (XSD part 2 section 3.2.6).
type duration struct {
	rest  string
	total float64 // seconds that are whole
	fine  time.Duration
	ok    bool
	seen  bool
}

// take reads a number before the designator unit, if it is there. A unit of 0
// seconds (years and months) only takes the number 0.
func (d *duration) take(unit byte, seconds float64) {
	i := strings.IndexByte(d.rest, unit)
	if i < 0 {
		return
	}
	n, err := strconv.ParseUint(d.rest[:i], 10, 32)
	d.rest, d.seen = d.rest[i+1:], true
	d.ok = d.ok && err == nil && (seconds > 0 || n == 0)
	d.total += float64(n) * seconds
}

// takeSeconds reads seconds, which may have a fraction.
func (d *duration) takeSeconds() {
	word, ok := strings.CutSuffix(d.rest, "S")
	if !ok {
		return
	}
	whole, fraction, hasFraction := strings.Cut(word, ".")
	d.rest = whole + "S"
	d.take('S', 1)
	if !hasFraction {
		return
	}
	digits := (fraction + "000000")[:6]
	us, err := strconv.ParseUint(digits, 10, 32)
	d.ok = d.ok && err == nil && fraction != "" && strings.Trim(fraction, "0123456789") == ""
	d.fine = time.Duration(us) * time.Microsecond
}

func parseXSDDuration(s string) (DateTime, bool) {
	const day, hour = 86400, 3600
	date, clock, hasClock := strings.Cut(strings.TrimPrefix(s, "P"), "T")
	d := duration{rest: date, ok: true}
	d.take('Y', 0)
	d.take('M', 0)
	d.take('D', day)
	ok := d.rest == ""
	if hasClock {
		d.rest, d.seen = clock, false
		d.take('H', hour)
		d.take('M', 60)
		d.takeSeconds()
	}
	const most = float64(math.MaxInt64/int64(time.Second) - 1)
	if !ok || !d.ok || !d.seen || d.rest != "" || d.total > most {
		return DateTime{}, false
	}
	length := time.Duration(d.total)*time.Second + d.fine
	return DateTime{Interval: length, IsInterval: true}, true
}
