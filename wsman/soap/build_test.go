package soap

import (
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"
)

// shape is a tree as text, for comparing: names, attributes, and the text directly
// in each element. White space in attributes is a blank.
func shape(e *Element) string {
	var out strings.Builder
	var walk func(*Element)
	walk = func(e *Element) {
		out.WriteString("(" + e.Space + ":" + e.Tag)
		for _, a := range e.Attr {
			out.WriteString(" " + a.Space + ":" + a.Key + "=" + strings.Map(blank, a.Value))
		}
		out.WriteString("|" + RawText(e) + "|")
		for c := range Children(e) {
			walk(c)
		}
		out.WriteString(")")
	}
	walk(e)
	return out.String()
}

func TestBuild(t *testing.T) {
	for text, want := range map[string]string{
		`<a/>`: `(:a||)`,
		` <?xml version='1.0' encoding="utf-8" standalone="yes" ?> <!-- c --> <a></a >` + "\n": `(:a||)`,
		`<p:a xmlns:p="u" p:b='"' c = "'>"/>`:                                                  `(p:a xmlns:p=u p:b=" :c='>||)`,
		`<a b=" x&#xA;y` + "\r\n\t" + `z&lt;&amp;&quot;&apos;"/>`:                              `(:a :b= x y  z<&"'||)`,
		`<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x1D11E;</a>`:                                       `(:a|<>&"'A𝄞|)`,
		"<a>1\r\n2\r3<![CDATA[\r\n<&>]]>4<!-- - > & < -->5<b>6</b>7</a>":                       "(:a|1\n2\n3\n<&>457|(:b|6|))",
		`<é-1.xß/>`:                   `(:é-1.xß||)`,
		`<a><![CDATA[]]]]></a>`:       `(:a|]]|)`,
		`<a><b/><c:d/></a><!-- x -->`: `(:a||(:b||)(c:d||))`,
	} {
		e, err := build([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, shape(e), text)
	}
}

func TestBuildRefusesWhatIsNotWellFormed(t *testing.T) {
	for _, text := range []string{
		"", " ", "text", "<", "<>", "</a>", "< a/>", "<a", "<a ", "<a/", "<a//>", "<a/ >", "<a></b>", "<a></a", "<a></p:a>", "<p:a></a>", "<pp:a></p:aa>", "<a></a b>",
		"<a/><b/>", "<a/>text", "text<a/>", "<a/><![CDATA[x]]>", "<a><b></a></b>", "<1/>", "<-a/>", "<:a/>", "<a:/>", "<a:b:c/>", "<a:1/>",
		`<a b/>`, `<a b=/>`, `<a b=c/>`, `<a b="/>`, `<a b="c'/>`, `<a b="c"d="e"/>`, `<a ="c"/>`, `<a b="c" b="d"/>`, `<a p:b="c" p:b="d"/>`, `<a b="<"/>`, `<a b="&x;"/>`, `<a b="&"/>`,
		`<a>&x;</a>`, `<a>&</a>`, `<a>&lt</a>`, `<a>&#0;</a>`, `<a>&#xD800;</a>`, `<a>&#xFFFE;</a>`, `<a>&#x110000;</a>`, `<a>&#99999999999;</a>`, `<a>&#-1;</a>`, `<a>&#;</a>`, `<a>&;</a>`, `<a>&#x;</a>`, `<a>&#+5;</a>`,
		"<a>]]></a>", "<a><!-- -- --></a>", "<a><!-- --->", "<a><!-- ", "<a><![CDATA[ </a>", "<a>\x00</a>", "<a>\x1f</a>", "<a>\uFFFE</a>", "<a>\uFFFF</a>", "<a>\xff</a>", "<a>\xed\xa0\x80</a>",
		`<?xml?><a/>`, `<?xml version="1.1"?><a/>`, `<?xml version="1.0"><a/>`, `<?xml version="1.0"`, `<?xmlversion="1.0"?><a/>`, `<?php ?><a/>`, `<!DOCTYPE a><a/>`, `<a><?x?></a>`,
	} {
		_, err := build([]byte(text))
		require.Error(t, err, "%q", text)
		require.Contains(t, err.Error(), "XML at byte", "%q", text)
	}
}

// Whatever is taken is well-formed to the standard library too, and is the same tree.
func FuzzBuild(f *testing.F) {
	for _, name := range []string{"mi_enumerate.xml", "omi_get_refkey.xml", "openwsman_pull.xml"} {
		f.Add(request(f, name))
	}
	for _, s := range []string{`<a b="&#xA;&lt;" c='>'>1&amp;2<![CDATA[<]]><!-- x --><b:c/></a>`, "<a>\r\n</a>", `<?xml version="1.0"?><a/>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := build(data)
		if err != nil {
			return
		}
		doc := etree.NewDocument()
		doc.ReadSettings.MaxDepth = len(data) + 1
		err = doc.ReadFromBytes(data)
		if err != nil && strings.ContainsFunc(string(data), func(r rune) bool { return r > 0x7F }) {
			return // names have more letters than the library knows
		}
		require.NoError(t, err, "%q", data)
		require.Equal(t, shape(doc.Root()), shape(e), "%q", data)
	})
}
