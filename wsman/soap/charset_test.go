package soap

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
)

func TestMediaType(t *testing.T) {
	for header, want := range map[string][2]string{
		"":                     {"", ""},
		"application/soap+xml": {"application/soap+xml", ""},
		" Application/SOAP+XML ; Charset = \"UTF-8\" ":                              {"application/soap+xml", "UTF-8"},
		"application/soap+xml;charset='utf-16'":                                     {"application/soap+xml", "utf-16"},
		"application/soap+xml;charset=UTF16":                                        {"application/soap+xml", "UTF16"},
		"application/soap+xml; action=http://h/Get; charset=utf-8":                  {"application/soap+xml", "utf-8"},
		`application/soap+xml; action="urn:a;charset=x\";charset=y"; charset=utf-8`: {"application/soap+xml", "utf-8"},
		"application/soap+xml;;;charset=utf-8;charset=latin1":                       {"application/soap+xml", "utf-8"},
		"text/xml; charset":                    {"text/xml", ""},
		`application/soap+xml; charset="utf-8`: {"application/soap+xml", "utf-8"},
		`multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="x"`: {"multipart/encrypted", ""},
	} {
		kind, charset := MediaType(header)
		require.Equal(t, want, [2]string{kind, charset}, header)
	}
}

func TestEncodingFor(t *testing.T) {
	for charset, want := range map[string]Encoding{
		"": UTF8, "UTF-8": UTF8, "utf8": UTF8, "US-ASCII": UTF8, "UTF-16": UTF16LE, "utf16": UTF16LE, "UTF_16LE": UTF16LE, "Unicode": UTF16LE, "utf-16be": UTF16BE, "EBCDIC": UTF8,
	} {
		require.Equal(t, want, EncodingFor("application/soap+xml;charset="+charset), charset)
	}
}

// Whatever is said of it, a message is read as what its bytes are.
func TestContradictingCharsets(t *testing.T) {
	charsets := []string{"", "utf-8", `"UTF-8"`, "'utf-16'", "UTF16", "utf-16le", "UTF-16BE", "unicode", "us-ascii"}
	for _, declared := range []string{"", `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version='1.0' encoding = 'utf-16' standalone="yes"?>`} {
		text := append([]byte(declared), envelope(`<a:MessageID>uuid:é€𝄞</a:MessageID>`, "")...)
		for _, enc := range []Encoding{UTF8, UTF16LE, UTF16BE} {
			for _, charset := range charsets {
				data := enc.Encode(text)
				m, err := Decode(data, "application/soap+xml;charset="+charset, Limits{})
				require.NoError(t, err, "%q %d %s", declared, enc, charset)
				require.Equal(t, enc, m.Encoding)
				require.Equal(t, "uuid:é€𝄞", m.MessageID)
			}
		}
	}
}

// The message that cannot be read still says how to answer.
func TestEncodingOfFailures(t *testing.T) {
	latin := `<?xml version="1.0" encoding="ISO-8859-1"?><x/>`
	for name, c := range map[string]struct {
		data        []byte
		contentType string
		encoding    Encoding
		detail      string
	}{
		"not XML":         {UTF16LE.Encode([]byte("hello")), "", UTF16LE, ""},
		"not XML, big":    {UTF16BE.Encode([]byte("<a")), "", UTF16BE, ""},
		"not SOAP":        {UTF16LE.Encode([]byte("<a/>")), "x/y;charset=utf-8", UTF16LE, ""},
		"SOAP 1.1":        {UTF16LE.Encode([]byte(`<s:Envelope xmlns:s="` + wsman.NSSOAP11 + `"/>`)), "", UTF16LE, ""},
		"empty":           {nil, "x/y;charset=utf-16", UTF16LE, ""},
		"empty UTF-8":     {nil, "x/y", UTF8, ""},
		"half a letter":   {UTF16LE.Encode([]byte("<a/>"))[:5], "", UTF16LE, "CharacterSet"},
		"other charset":   {envelope("", ""), "x/y;charset=windows-1252", UTF8, "CharacterSet"},
		"declared latin":  {[]byte(latin), "", UTF8, "CharacterSet"},
		"marked latin":    {[]byte("\uFEFF" + latin), "", UTF8, "CharacterSet"},
		"bad UTF-8":       {[]byte("<a>\xe9</a>"), "", UTF8, "CharacterSet"},
		"UTF-32":          {[]byte("\xFF\xFE\x00\x00<\x00\x00\x00"), "", UTF8, "CharacterSet"},
		"UTF-32, no mark": {[]byte("\x00\x00\x00<"), "x/y;charset=utf-16", UTF16LE, "CharacterSet"},
		"too large":       {UTF16LE.Encode([]byte(strings.Repeat(" ", 3000))), "x/y;charset=utf-16", UTF16LE, "ServiceEnvelopeLimit"},
	} {
		m, err := Decode(c.data, c.contentType, Limits{Bytes: 4000})
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, c.detail, f.Detail[strings.LastIndexByte(f.Detail, '/')+1:], name)
		require.NotNil(t, m, name)
		require.Equal(t, c.encoding, m.Encoding, name)
		require.Nil(t, m.Body, name)
	}
}

func FuzzMediaType(f *testing.F) {
	for _, s := range []string{`application/soap+xml;charset=UTF-8`, `a/b; charset="utf-16"; action="x;y\""`, ";;=;charset='", `a;charset=`, `";";charset=utf-16`} {
		f.Add(s, []byte("<a/>"))
	}
	f.Add("application/soap+xml;charset=utf-16", UTF16LE.Encode(envelope("", "")))
	f.Fuzz(func(t *testing.T, contentType string, data []byte) {
		kind, charset := MediaType(contentType)
		require.LessOrEqual(t, len(charset), len(contentType))
		require.NotContains(t, kind, ";")
		m, err := Decode(data, contentType, Limits{Bytes: 1 << 14})
		require.NotNil(t, m)
		if err == nil {
			require.True(t, utf8.ValidString(m.MessageID))
		}
		text, enc, err := decodeText(m.Encoding.Encode(envelope("", "")), contentType)
		if err == nil {
			require.Equal(t, m.Encoding, enc)
			require.Equal(t, string(envelope("", "")), string(text))
		}
	})
}
