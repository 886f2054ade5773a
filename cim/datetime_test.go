package cim

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func zone(minutes int) *time.Location { return time.FixedZone("", minutes*60) }

func point(y int, mon time.Month, d, h, m, s, us, off int) DateTime {
	return DateTime{Time: time.Date(y, mon, d, h, m, s, us*1000, zone(off))}
}

func interval(d time.Duration) DateTime { return DateTime{Interval: d, IsInterval: true} }

func TestParseDateTime(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		in   string
		want DateTime
	}{
		{"19980525133015.000001-300", point(1998, 5, 25, 13, 30, 15, 1, -300)},
		{"20260228235959.999999+060", point(2026, 2, 28, 23, 59, 59, 999999, 60)},
		{"20240229000000.000000+000", point(2024, 2, 29, 0, 0, 0, 0, 0)},
		{"2026**************.******"[:14] + ".******+000", point(2026, 1, 1, 0, 0, 0, 0, 0)},
		{"20261122101112.123***+000", point(2026, 11, 22, 10, 11, 12, 123000, 0)},
		{"20261122101112.******+***", point(2026, 11, 22, 10, 11, 12, 0, 0)},
		{"00000001132312.000000:000", interval(day + 13*time.Hour + 23*time.Minute + 12*time.Second)},
		{"00000001132312.125***:000", interval(day + 13*time.Hour + 23*time.Minute + 12*time.Second + 125*time.Millisecond)},
		{"00000000000030.******:000", interval(30 * time.Second)},
		{"2026-11-22T10:11:12Z", point(2026, 11, 22, 10, 11, 12, 0, 0)},
		{"2026-11-22T10:11:12.5+01:00", point(2026, 11, 22, 10, 11, 12, 500000, 60)},
		{"2026-11-22T10:11:12.1234567-05:30", point(2026, 11, 22, 10, 11, 12, 123456, -330)},
		{"2026-11-22T10:11:12", point(2026, 11, 22, 10, 11, 12, 0, 0)},
		{"2026-11-22", point(2026, 11, 22, 0, 0, 0, 0, 0)},
		{"P0DT0H5M0S", interval(5 * time.Minute)},
		{"PT5M", interval(5 * time.Minute)},
		{"PT0.5S", interval(time.Second / 2)},
		{"PT30.000S", interval(30 * time.Second)},
		{"P1DT2H3M4.000005S", interval(day + 2*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Microsecond)},
		{"P0Y0M1D", interval(day)},
		{"PT0S", interval(0)},
	}
	for _, tt := range tests {
		got, err := ParseDateTime(tt.in)
		require.NoError(t, err, tt.in)
		require.True(t, tt.want.Equal(got), "%s: %v", tt.in, got)
	}
}

func TestParseDateTimeRefuses(t *testing.T) {
	for _, in := range []string{
		"", "P", "PT", "P1", "P1Y", "P1M", "PT1", "PTS", "PT.5S", "PT1.S", "PT1.xS", "-PT1S", "P-1D", "P1S", "PT1D",
		"PT1H2H", "PT2M1H", "P1DT", "PT9999999999H", "P4000000D",
		"20261322000000.000000+000", // month
		"20260230000000.000000+000", // day
		"20261122240000.000000+000", // hour
		"20261122006000.000000+000", // minute
		"20261122000060.000000+000", // second
		"20261122000000.000000 000", // sign
		"20261122000000,000000+000",
		"2026112200000x.000000+000",
		"20261122000000.00x000+000",
		"00000001240000.000000:000",
		"00000001000000.000000:001",
		"99999999000000.000000:000", // longer than Go can count
		"2026-11-22T25:00:00Z", "2026-13-01", "now",
	} {
		got, err := ParseDateTime(in)
		require.Error(t, err, "%q gave %v", in, got)
	}
}

func TestDateTimeString(t *testing.T) {
	tests := []struct {
		in   DateTime
		want string
	}{
		{point(1998, 5, 25, 13, 30, 15, 1, -300), "19980525133015.000001-300"},
		{point(2026, 1, 2, 3, 4, 5, 999999, 60), "20260102030405.999999+060"},
		{DateTime{Time: time.Date(2026, 1, 2, 3, 4, 5, 1999, time.UTC)}, "20260102030405.000001+000"},
		{DateTime{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 90))}, "20260102030235.000000+000"},
		{DateTime{Time: time.Date(12026, 1, 2, 3, 4, 5, 0, time.UTC)}, "99991231115959.999999+720"},
		{DateTime{Time: time.Date(-1, 1, 2, 3, 4, 5, 0, time.UTC)}, "00000101000000.000000+000"},
		{interval(26*time.Hour + 1500*time.Millisecond), "00000001020001.500000:000"},
		{interval(-time.Second), "00000000000000.000000:000"},
		{interval(math.MaxInt64), "00106751234716.854775:000"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.in.String())
		require.Len(t, tt.in.String(), 25)
	}
}

func TestDateTimeXSD(t *testing.T) {
	tests := []struct {
		in   DateTime
		want string
	}{
		{point(2026, 11, 22, 10, 11, 12, 0, 0), "2026-11-22T10:11:12Z"},
		{point(2026, 11, 22, 10, 11, 12, 500000, 90), "2026-11-22T10:11:12.5+01:30"},
		{interval(0), "P0DT0H0M0S"},
		{interval(26*time.Hour + 3*time.Minute + 4*time.Second), "P1DT2H3M4S"},
		{interval(1234567 * time.Nanosecond), "P0DT0H0M0.001234S"},
		{interval(59*time.Second + 999999*time.Microsecond), "P0DT0H0M59.999999S"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.in.XSD())
		back, err := ParseDateTime(tt.want)
		require.NoError(t, err)
		require.Equal(t, tt.in.String(), back.String())
	}
}

func TestDateTimeEqual(t *testing.T) {
	require.True(t, point(2026, 1, 1, 1, 0, 0, 0, 60).Equal(point(2026, 1, 1, 0, 0, 0, 0, 0)))
	require.False(t, interval(0).Equal(DateTime{}))
	require.False(t, interval(1).Equal(interval(2)))
}

func FuzzParseDateTime(f *testing.F) {
	f.Add("19980525133015.000001-300")
	f.Add("00000001132312.125***:000")
	f.Add("2026-11-22T10:11:12.5+01:00")
	f.Add("P1DT2H3M4.5S")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDateTime(s)
		if err != nil {
			return
		}
		back, err := ParseDateTime(d.String())
		require.NoError(t, err)
		require.Equal(t, d.String(), back.String())
	})
}

// No fraction of a second may be rounded on its way through binary floating point.
func TestIntervalFractionsAreExact(t *testing.T) {
	for _, c := range []struct {
		interval time.Duration
		want     string
	}{
		{5*time.Hour + 17*time.Minute + 7*time.Second + 906825*time.Microsecond, "P0DT5H17M7.906825S"},
		{time.Microsecond, "P0DT0H0M0.000001S"}, {59*time.Second + 999999*time.Microsecond, "P0DT0H0M59.999999S"}, {1500 * time.Millisecond, "P0DT0H0M1.5S"},
	} {
		require.Equal(t, c.want, DateTime{Interval: c.interval, IsInterval: true}.XSD())
		back, err := ParseDateTime(c.want)
		require.NoError(t, err)
		require.Equal(t, c.interval, back.Interval)
	}
}

// What a client sends back of a time must be equal to the time that it saw.
func TestTimesAreThoseThatClientsSee(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 123456789, time.FixedZone("", 3600))
	for _, v := range []Value{TimeValue(at), IntervalValue(90*time.Minute + 123456789)} {
		for _, text := range []string{v.(DateTime).String(), v.(DateTime).XSD()} {
			back, err := ParseDateTime(text)
			require.NoError(t, err)
			require.True(t, Equal(v, back), "%s: %v", text, v)
		}
	}
}
