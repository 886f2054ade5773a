package cim

import "time"

// DateTime is a CIM datetime: a point in time or an interval (DSP0004 section
// 5.2.4), to the microsecond.
type DateTime struct {
	Time       time.Time     // point in time; its UTC offset is kept
	Interval   time.Duration // length of an interval, not negative
	IsInterval bool
}

// TimeValue is the Value of a point in time, cut to the microsecond so that it is what
// clients see of it; NULL for the zero time.
func TimeValue(t time.Time) Value {
	if t.IsZero() {
		return nil
	}
	return DateTime{Time: t.Truncate(time.Microsecond)}
}

// IntervalValue is the Value of an interval, cut to the microsecond.
func IntervalValue(d time.Duration) Value {
	return DateTime{Interval: d.Truncate(time.Microsecond), IsInterval: true}
}
