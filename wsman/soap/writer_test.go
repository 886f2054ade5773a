package soap

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a message with a file of testdata; -update writes it.
func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, append(have, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(have)+"\n")
}

func TestWriterEscapes(t *testing.T) {
	var w Writer
	w.Start("", "a")
	w.Attr("", "b", "<&>\"'\n\t\r\x00\x1f\xff\uFFFE😀")
	w.Text("<&>\"'\n\t\r\x00\x1f\xff\uFFFF😀]]>")
	w.End()
	require.Equal(t, "<a b=\"&lt;&amp;&gt;&quot;'&#xA;&#x9;&#xD;\uFFFD\uFFFD\uFFFD\uFFFD😀\">"+
		"&lt;&amp;&gt;\"'\n\t&#xD;\uFFFD\uFFFD\uFFFD\uFFFD😀]]&gt;</a>", string(w.Bytes()))
}

func TestWriterStructure(t *testing.T) {
	var w Writer
	w.End()
	w.Start("p", "a")
	w.Namespace("p", "urn:p")
	w.Namespace("", "urn:d")
	w.Start("", "b")
	w.End()
	w.Attr("", "late", "ignored")
	w.Uint(7)
	w.Int(-7)
	w.Element("", "c", "")
	w.Element("", "d", "t")
	w.Nil("", "e")
	w.End()
	require.Equal(t, `<p:a xmlns:p="urn:p" xmlns="urn:d"><b/>7-7<c/><d>t</d><e xsi:nil="true"/></p:a>`, string(w.Bytes()))
	w.Reset()
	require.Zero(t, w.Len())
}

func TestWriterRewind(t *testing.T) {
	var w Writer
	w.Start("", "a")
	w.Element("", "b", "1")
	m := w.Mark()
	w.Start("", "b")
	w.Start("", "c")
	w.Attr("", "d", "2")
	w.Rewind(m)
	w.Element("", "e", "3")
	w.End()
	require.Equal(t, "<a><b>1</b><e>3</e></a>", string(w.Bytes()))
}

func TestWriteEnvelope(t *testing.T) {
	var w Writer
	h := ResponseHeader{Action: wsman.ActionGet + wsman.ResponseSuffix, MessageID: "uuid:2", RelatesTo: "uuid:1", Extra: func(w *Writer) {
		w.Element("w", "Extra", "x")
	}}
	WriteEnvelope(&w, h, func(w *Writer) { w.Element("w", "Body", "") })
	golden(t, "envelope.xml", w.Bytes())
	m, err := Decode(w.Bytes(), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, []string{h.Action, "uuid:2", "uuid:1", wsman.Anonymous}, []string{m.Action, m.MessageID, m.RelatesTo, m.To})

	w.Reset()
	WriteEnvelope(&w, ResponseHeader{Action: "x", MessageID: "y"}, nil)
	require.NotContains(t, string(w.Bytes()), "RelatesTo", "an empty one stops Windows clients")
	require.NotContains(t, string(w.Bytes()), "<?")
}

func TestWriteRequestComesBack(t *testing.T) {
	h := RequestHeader{
		To: "http://h/wsman", Action: wsman.ActionGet, ResourceURI: wsman.ClassPrefix + "CIM_A", MessageID: "uuid:1", Locale: "en-US",
		Selectors: []wsman.Selector{
			{Name: "Name", Value: " & "}, {Name: "Empty"},
			{Name: "Ref", EPR: &wsman.EPR{Address: wsman.Anonymous, ResourceURI: wsman.ClassPrefix + "CIM_B", Selectors: []wsman.Selector{{Name: "K", Value: "v"}}}},
		},
		Options: []Option{{Name: "O", Type: "xs:int", Value: "1"}, {Name: "O", Value: "2"}},
		Timeout: 90 * time.Second, MaxEnvelopeSize: 153600,
	}
	var w Writer
	WriteRequest(&w, h, func(w *Writer) { w.Element("w", "X", "") })
	golden(t, "request.xml", w.Bytes())
	m, err := Decode(w.Bytes(), "", Limits{})
	require.NoError(t, err)
	h.Selectors[0].Value = "&" // header text is trimmed
	require.Equal(t, h.Selectors, m.Selectors)
	require.Equal(t, h.Options, m.Options)
	require.Equal(t, h.Timeout, m.Timeout)
	require.Equal(t, h.MaxEnvelopeSize, m.MaxEnvelopeSize)
	require.Equal(t, h.Locale, m.Locale)
	require.Equal(t, []string{h.To, h.Action, h.ResourceURI, h.MessageID}, []string{m.To, m.Action, m.ResourceURI, m.MessageID})
	require.Equal(t, "X", m.Body.Tag)
}

// faults are those whose messages are kept as golden files.
func faults() map[string]*wsman.Fault {
	notFound := &cim.Error{Status: cim.StatusNotFound, Msg: "there is no volume <7>"}
	return map[string]*wsman.Fault{
		"fault_notfound.xml":   wsman.InvalidResourceURI("%s", notFound.Msg).WithCIM(notFound),
		"fault_timeout.xml":    wsman.TimedOut("the operation took longer than its OperationTimeout"),
		"fault_selectors.xml":  wsman.InvalidSelectors(wsman.DetailUnexpectedSelectors, "%q is not a key", "x"),
		"fault_context.xml":    wsman.InvalidEnumerationContext("the enumeration is over"),
		"fault_understand.xml": wsman.NotUnderstood([]wsman.QName{{Space: "urn:q", Local: "X"}, {Local: "Y"}}),
		"fault_version.xml":    wsman.SOAPVersion("only SOAP 1.2 is served"),
		"fault_transfer.xml":   wsman.InvalidRepresentation(wsman.DetailInvalidValues, "wrong"),
		"fault_internal.xml":   wsman.InternalError(errors.New("secret")),
	}
}

func TestWriteFaultAndReadItBack(t *testing.T) {
	for name, f := range faults() {
		var w Writer
		WriteFault(&w, ResponseHeader{MessageID: "uuid:2", RelatesTo: "uuid:1"}, f, "store1")
		golden(t, name, w.Bytes())
		m, err := Decode(w.Bytes(), "", Limits{})
		require.NoError(t, err, name)
		require.Equal(t, f.Action, m.Action, name)
		require.True(t, Is(m.Body, wsman.NSSOAP, "Fault"), name)
		want := *f
		want.Action, want.NotUnderstood, want.Err = "", nil, nil
		require.Equal(t, &want, ReadFault(m.Body), name)
		require.NotContains(t, string(w.Bytes()), "secret", name)
	}
}

func TestWriteFaultKeepsExtraHeaders(t *testing.T) {
	var w Writer
	h := ResponseHeader{MessageID: "uuid:2", Extra: func(w *Writer) { w.Element("w", "Extra", "") }}
	f := &wsman.Fault{Code: wsman.Sender, Subcode: wsman.QName{Space: wsman.NSEventing, Local: "InvalidMessage"}, Action: wsman.ActionFaultEventing, Reason: "r"}
	WriteFault(&w, h, f, "store1")
	require.Contains(t, string(w.Bytes()), "<w:Extra/>")
	require.NotContains(t, string(w.Bytes()), "s:Detail")
	m, err := Decode(w.Bytes(), "", Limits{})
	require.NoError(t, err)
	require.Equal(t, f.Subcode, ReadFault(m.Body).Subcode, "of a namespace that the envelope does not declare")
}

// Servers of other makers put other classes into the detail, or only a number.
func TestReadFaultOfOthers(t *testing.T) {
	const head = `<s:Fault xmlns:e="urn:e"><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value> w:InternalError </s:Value></s:Subcode></s:Code>`
	read := func(rest string) *wsman.Fault {
		m, err := Decode(envelope("", head+rest+`</s:Fault>`), "", Limits{})
		require.NoError(t, err)
		return ReadFault(m.Body)
	}
	f := read(`<s:Reason><s:Text xml:lang=""></s:Text></s:Reason><s:Detail><q:X_Error b:IsCIM_Error="true" xmlns:q="urn:q" xmlns:b="` + wsman.NSBinding +
		`"><q:CIMStatusCode>27</q:CIMStatusCode><q:Message>quota</q:Message></q:X_Error></s:Detail>`)
	require.Equal(t, wsman.Receiver, f.Code)
	require.Equal(t, wsman.QName{Space: wsman.NSWSMan, Local: "InternalError"}, f.Subcode)
	require.Equal(t, "quota", f.Error())
	require.Equal(t, cim.StatusServerLimitsExceeded, cim.StatusOf(f))
	f = read(`<s:Detail><f:WSManFault xmlns:f="` + wsman.NSWSManFault + `" Code="2150858793"><f:Message>late</f:Message></f:WSManFault></s:Detail>`)
	require.Equal(t, uint32(2150858793), f.WSManCode)
	require.Equal(t, "late", f.Error())
	require.Nil(t, f.CIM)
	require.Equal(t, "wsman: InternalError", read("").Error())
	require.Equal(t, &wsman.Fault{}, ReadFault(&Element{}))
}
