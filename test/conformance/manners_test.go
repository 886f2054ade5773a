package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// spaces are the namespaces, by the prefixes that this package's files use. What a
// request or an answer calls them is its own affair.
var spaces = map[string]string{
	"s":           "http://www.w3.org/2003/05/soap-envelope",
	"addressing":  "http://schemas.xmlsoap.org/ws/2004/08/addressing",
	"transfer":    "http://schemas.xmlsoap.org/ws/2004/09/transfer",
	"enumeration": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
	"eventing":    "http://schemas.xmlsoap.org/ws/2004/08/eventing",
	"wsman":       "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
	"binding":     "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd",
	"wsmid":       "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd",
}

const (
	anonymous = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
	wsmanBase = "http://schemas.dmtf.org/wbem/wsman/1/wsman/"
)

// faultActions are the actions of faults, by the namespace of the subcode: each
// specification has its own.
var faultActions = map[string]string{
	spaces["addressing"]:  spaces["addressing"] + "/fault",
	spaces["transfer"]:    spaces["transfer"] + "/fault",
	spaces["enumeration"]: spaces["enumeration"] + "/fault",
	spaces["eventing"]:    spaces["eventing"] + "/fault",
	spaces["wsman"]:       wsmanBase + "fault",
	spaces["binding"]:     wsmanBase + "fault",
}

// sent is what the manners of an answer depend on.
type sent struct{ action, messageID string }

// manners checks what every client needs of every answer, whatever it asked for.
func manners(t *testing.T, s sent, a answer) {
	t.Helper()
	head := a.head()
	require.Empty(t, a.envelope.all("OperationID"), "echoed, it switches Windows to another protocol")
	require.Empty(t, a.envelope.all("SequenceId"))
	require.Regexp(t, `^uuid:[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`, head.text("MessageID"))
	require.NotEqual(t, s.messageID, head.text("MessageID"))
	require.Equal(t, anonymous, head.text("To"))
	require.Len(t, head.all("RelatesTo"), 1)
	require.Equal(t, s.messageID, head.all("RelatesTo")[0].Text, "byte for byte")
	if fault := a.body().child("Fault"); fault.XMLName.Local != "" {
		faultManners(t, a, fault)
		return
	}
	require.Equal(t, 200, a.status)
	require.Equal(t, s.action+"Response", head.text("Action"))
	batchManners(t, a.body())
	referenceManners(t, a.body())
}

// faultManners: a fault is on status 500, its Action is that of the specification
// which names its subcode, and it has words and the number that Windows looks for.
func faultManners(t *testing.T, a answer, fault node) {
	t.Helper()
	require.Equal(t, 500, a.status)
	require.NotEmpty(t, fault.text("Reason/Text"))
	require.Equal(t, "en-US", fault.find("Reason/Text")[0].attr("lang"))
	require.NotEmpty(t, fault.find("WSManFault"))
	require.NotEmpty(t, fault.text("WSManFault/Message"))
	space, _ := a.subcode()
	if space == "" { // MustUnderstand and VersionMismatch have none
		require.Equal(t, faultActions[spaces["addressing"]], a.head().text("Action"))
		return
	}
	require.Equal(t, faultActions[space], a.head().text("Action"))
}

// subcode is that of a fault.
func (a answer) subcode() (space, local string) {
	code := a.body().child("Fault").text("Subcode/Value")
	prefix, local, _ := strings.Cut(code, ":")
	return a.envelope.namespace(prefix, "Body", "Fault", "Code", "Subcode", "Value"), local
}

// batchManners: omicli reads context, items and end in this order; wsmancli pulls on
// as long as there is a context, and WinRM takes an empty one for none.
func batchManners(t *testing.T, body node) {
	t.Helper()
	for _, name := range []string{"EnumerateResponse", "PullResponse"} {
		for _, r := range body.children(name) {
			space := spaces["enumeration"]
			if name == "EnumerateResponse" {
				space = spaces["wsman"]
			}
			batch(t, r, space)
		}
	}
}

func batch(t *testing.T, r node, space string) {
	t.Helper()
	order := map[string]int{"Expires": 1, "EnumerationContext": 2, "Items": 3, "EndOfSequence": 4}
	last := 0
	for _, c := range r.Nodes {
		require.Contains(t, order, c.XMLName.Local)
		require.Greater(t, order[c.XMLName.Local], last, "order of the children")
		last = order[c.XMLName.Local]
		if c.XMLName.Local == "Items" || c.XMLName.Local == "EndOfSequence" {
			require.Equal(t, space, c.XMLName.Space, "%s of %s", c.XMLName.Local, r.XMLName.Local)
		}
	}
	if r.XMLName.Local == "EnumerateResponse" {
		require.Len(t, r.children("EnumerationContext"), 1, "its schema wants one, empty or not")
	}
	ended := len(r.children("EndOfSequence")) > 0
	require.Equal(t, ended, r.text("EnumerationContext") == "", "a context if and only if there is more")
}

// referenceManners: references are inline, for in a wrapper WinRM takes them for
// embedded instances, other than in items and in selectors; they say where they lead.
func referenceManners(t *testing.T, n node) {
	t.Helper()
	for _, c := range n.Nodes {
		switch c.XMLName.Local {
		case "EndpointReference":
			require.Contains(t, []string{"Items", "Item", "Selector"}, n.XMLName.Local, "references in values are inline")
			require.NotEmpty(t, c.text("ReferenceParameters/ResourceURI"))
		case "ReferenceParameters":
			require.NotEmpty(t, c.text("ResourceURI"))
		}
		referenceManners(t, c)
	}
}
