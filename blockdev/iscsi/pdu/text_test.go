package pdu

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseKeys(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Keys
		err        error
	}{
		{"nothing", "", nil, nil},
		{"one", "a=b\x00", Keys{{"a", "b"}}, nil},
		{"several", "HeaderDigest=CRC32C,None\x00X-com.ex=\x00", Keys{{"HeaderDigest", "CRC32C,None"}, {"X-com.ex", ""}}, nil},
		{"equals in the value", "a=b=c\x00", Keys{{"a", "b=c"}}, nil},
		{"padding that was counted", "a=b\x00\x00\x00", Keys{{"a", "b"}}, nil},
		{"twice", "T=1\x00T=2\x00", Keys{{"T", "1"}, {"T", "2"}}, nil},
		{"no end", "a=b", nil, ErrText},
		{"no equals", "ab\x00", nil, ErrText},
		{"no name", "=b\x00", nil, ErrText},
		{"space in the name", "a b=c\x00", nil, ErrText},
		{"newline in the name", "a\n=c\x00", nil, ErrText},
		{"long name", strings.Repeat("a", 64) + "=c\x00", nil, ErrTextTooLong},
		{"longest name", strings.Repeat("a", 63) + "=c\x00", Keys{{strings.Repeat("a", 63), "c"}}, nil},
		{"long value", "a=" + strings.Repeat("c", 8193) + "\x00", nil, ErrTextTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseKeys([]byte(c.text))
			require.ErrorIs(t, err, c.err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestKeys(t *testing.T) {
	k := Keys{{"A", "1"}, {"B", "2"}}
	v, ok := k.Get("B")
	require.True(t, ok)
	require.Equal(t, "2", v)
	_, ok = k.Get("C")
	require.False(t, ok)
	require.NoError(t, k.Unique())
	require.ErrorIs(t, append(k, Key{"A", "3"}).Unique(), ErrDuplicateKey)
}

func TestTextBuffer(t *testing.T) {
	b := TextBuffer{Max: 10}
	keys, err := b.Add([]byte("abc"), true)
	require.NoError(t, err)
	require.Nil(t, keys)
	require.True(t, b.Room(7))
	require.False(t, b.Room(8))
	keys, err = b.Add([]byte("=d\x00"), false)
	require.NoError(t, err)
	require.Equal(t, Keys{{"abc", "d"}}, keys)
	require.True(t, b.Room(10), "empty again")
	_, err = b.Add(make([]byte, 11), true)
	require.ErrorIs(t, err, ErrTextTooLong)
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]uint32{"0": 0, "262144": 262144, "0x40000": 262144, "0XfF": 255, "4294967295": 4294967295} {
		got, err := ParseNumber(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "-1", "4294967296", "0x", "1k", "0x1ffffffff", " 1", "1_0"} {
		_, err := ParseNumber(text)
		require.Error(t, err, text)
	}
}

func TestBinary(t *testing.T) {
	for _, c := range []struct {
		text string
		want []byte
	}{
		{"0x0aff", []byte{0x0a, 0xff}}, {"0XAFF", []byte{0x0a, 0xff}}, {"0bAQID", []byte{1, 2, 3}}, {"0BAQ==", []byte{1}},
	} {
		got, err := ParseBinary(c.text, 3)
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got)
	}
	for _, text := range []string{"", "0x", "abc", "0xzz", "0b*", "0x01020304", "0bAQIDBA==", "0x" + strings.Repeat("0", 1<<16)} {
		_, err := ParseBinary(text, 3)
		require.Error(t, err, text)
	}
	require.Equal(t, "0x00ff", FormatBinary([]byte{0, 0xff}))
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("InitiatorName=iqn.x\x00AuthMethod=CHAP,None\x00"))
	f.Add([]byte("a=b\x00\x00c=\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := ParseKeys(b)
		if err != nil {
			return
		}
		again, err := ParseKeys(keys.Append(nil))
		require.NoError(t, err)
		require.Equal(t, keys, again)
		for _, k := range keys {
			got, err := ParseBinary(k.Value, 16)
			if err == nil {
				back, err := ParseBinary(FormatBinary(got), 16)
				require.True(t, err != nil && len(got) == 0 || bytes.Equal(got, back))
			}
			_, _ = ParseNumber(k.Value)
		}
	})
}
