package server

import (
	"strings"
	"time"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// expiry is how long an enumeration lives.
type expiry struct {
	// until is when it ends; zero: when nobody has asked for more for a while.
	until time.Time
	// asked says that the client named an end, and clock that it named a time and
	// not a duration: so the service answers.
	asked, clock bool
}

// end is when an enumeration expires that is idle from now on.
func (x expiry) end(now time.Time, idle time.Duration) time.Time {
	if x.until.IsZero() {
		return now.Add(idle)
	}
	return x.until
}

// readExpires reads n:Expires, a duration or a time (WS-Enumeration section 3.1);
// e is nil where the client does not name one. What it asks for beyond most is
// not granted. The fault is InvalidExpirationTime.
func readExpires(e *soap.Element, now time.Time, most time.Duration) (expiry, error) {
	text := soap.Text(e)
	if e == nil {
		return expiry{}, nil
	}
	end, clock, ok := parseExpires(text, now, most)
	switch {
	case !ok:
		return expiry{}, wsman.EnumerationExpiration("Expires is neither a duration nor a time: %.100q", text)
	case !end.After(now):
		return expiry{}, wsman.EnumerationExpiration("Expires has passed already: %.100q", text)
	}
	if limit := now.Add(most); end.After(limit) {
		end = limit
	}
	return expiry{until: end, asked: true, clock: clock}, nil
}

// parseExpires reads a duration, which may be longer than can be said exactly, or a
// time. A negative duration is a time that has passed.
func parseExpires(text string, now time.Time, most time.Duration) (end time.Time, clock, ok bool) {
	if d, isDuration := soap.ParseDuration(text); isDuration {
		return now.Add(min(d, 2*most)), false, true
	}
	if rest, negative := strings.CutPrefix(text, "-P"); negative {
		return now, false, isDuration("P" + rest)
	}
	if isDuration(text) {
		return now.Add(2 * most), false, true
	}
	t, err := cim.ParseDateTime(text)
	if err != nil || t.IsInterval {
		return time.Time{}, false, false
	}
	return t.Time, true, true
}

// isDuration recognizes an xs:duration with years and months.
func isDuration(text string) bool {
	date, clock, hasClock := strings.Cut(text, "T")
	years, rest, found := strings.Cut(strings.TrimPrefix(date, "P"), "Y")
	if !found {
		years, rest = "0", years
	}
	months, days, found := strings.Cut(rest, "M")
	if !found {
		months, days = "0", months
	}
	if !isNumber(years) || !isNumber(months) || !strings.HasPrefix(text, "P") || text == "P" {
		return false
	}
	if days == "" && !hasClock {
		return true
	}
	if hasClock {
		days += "T" + clock
	}
	_, ok := soap.ParseDuration("P" + days)
	return ok
}

func isNumber(s string) bool {
	return s != "" && len(s) < 10 && strings.Trim(s, "0123456789") == ""
}

// writeExpires writes when an enumeration ends, in the manner of the client.
func writeExpires(w *soap.Writer, clock bool, end, now time.Time) {
	text := soap.FormatDuration(end.Sub(now))
	if clock {
		text = end.UTC().Format("2006-01-02T15:04:05.999Z07:00")
	}
	w.Element("n", "Expires", text)
}
