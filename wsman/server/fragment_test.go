package server

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// fragmentOf is a request about a part of volume V0. content is that of XmlFragment;
// "nil" stands for NULL, and "" for no body.
func fragmentOf(action, expr, content string) message {
	m := message{action: action, uri: volumeURI, selectors: volumeKeys("V0"), headers: `<fr:FragmentTransfer xmlns:fr="` + wsman.NSWSMan +
		`" xmlns:v="` + volumeURI + `" s:mustUnderstand="true">` + "\n" + strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(expr) + "\n</fr:FragmentTransfer>"}
	switch content {
	case "":
	case "nil":
		m.body = `<wsman:XmlFragment xmlns:wsman="` + wsman.NSWSMan + `" xmlns:xsi="` + wsman.NSXSI + `" xsi:nil="true"/>`
	default:
		m.body = `<wsman:XmlFragment xmlns:wsman="` + wsman.NSWSMan + `" xmlns:xsi="` + wsman.NSXSI + `">` + content + `</wsman:XmlFragment>`
	}
	return m
}

// statuses gives volume V0 a caption and three entries in an array.
func (w *world) statuses(t *testing.T) *world {
	w.withVolumes(1)
	in := w.broker.instances[0]
	require.NoError(t, in.Set("Caption", "red"))
	require.NoError(t, in.Set("OperationalStatus", []uint16{2, 5, 9}))
	return w
}

// requireFragment checks an answer that is a fragment and gives what is in it.
func requireFragment(t *testing.T, r reply, expr string) string {
	t.Helper()
	header := soap.Child(r.Header, wsman.NSWSMan, "FragmentTransfer")
	require.Equal(t, expr, soap.Text(header), "the header comes back")
	must, _ := soap.Attr(header, wsman.NSSOAP, "mustUnderstand")
	require.Equal(t, "true", must)
	require.True(t, soap.Is(r.Body, wsman.NSWSMan, "XmlFragment"), r.text)
	if soap.IsNil(r.Body) {
		return "nil"
	}
	var all []string
	for e := range soap.Children(r.Body) {
		_, declared := soap.Namespace(e)
		require.True(t, declared)
		text := soap.Text(e)
		if soap.IsNil(e) {
			text = "nil"
		}
		all = append(all, e.Tag+"="+text)
	}
	return strings.Join(append(all, soap.RawText(r.Body)), " ")
}

func TestGetFragment(t *testing.T) {
	w := newWorld(t).statuses(t)
	for expr, want := range map[string]string{
		"Caption":                      "Caption=red ",
		"Caption/text()":               "red",
		"OperationalStatus":            "OperationalStatus=2 OperationalStatus=5 OperationalStatus=9 ",
		"OperationalStatus[2]":         "OperationalStatus=5 ",
		"OperationalStatus[last()]":    "OperationalStatus=9 ",
		"OperationalStatus[.>2]":       "OperationalStatus=5 OperationalStatus=9 ",
		"OperationalStatus[2]/text()":  "5",
		"OperationalStatus[4]":         "nil",
		"/T_Volume/Caption":            "Caption=red ",
		"../v:T_Volume[Size='0']/Size": "Size=0 ",
		"v:Caption | v:Size":           "Caption=red Size=0 ",
		"Missing":                      "nil",
		"caption":                      "nil",
	} {
		for family, write := range families() {
			require.Equal(t, want, requireFragment(t, w.ok(t, write(fragmentOf(wsman.ActionGet, expr, ""))), expr), family+" "+expr)
		}
	}
	require.NoError(t, w.broker.instances[0].Set("Caption", nil))
	require.Equal(t, "Caption=nil ", requireFragment(t, w.ok(t, fragmentOf(wsman.ActionGet, "Caption", "").windows()), "Caption"))
	require.Equal(t, "nil", requireFragment(t, w.ok(t, fragmentOf(wsman.ActionGet, "Caption/text()", "").windows()), "Caption/text()"))
	whole := w.ok(t, fragmentOf(wsman.ActionGet, "/", "").windows())
	require.Equal(t, "V0", soap.ChildText(soap.FirstChild(whole.Body), "", "DeviceID"))
}

// The namespace of an instance is that of its own class, whatever class it was named by.
func TestFragmentByBaseClass(t *testing.T) {
	w := newWorld(t).withVolumes(4)
	m := fragmentOf(wsman.ActionGet, "v:Size | /v:T_ThinVolume/v:DeviceID", "")
	m.selectors = volumeKeys("V3")
	require.Equal(t, "DeviceID=V3 Size=3221225472 ", requireFragment(t, w.ok(t, m.windows()), "v:Size | /v:T_ThinVolume/v:DeviceID"))
	m = fragmentOf(wsman.ActionPut, "v:Caption", `<Caption>x</Caption>`)
	m.headers = strings.Replace(m.headers, volumeURI, "urn:other", 1)
	r := w.fails(t, m.windows(), "x:InvalidRepresentation")
	require.Equal(t, "InvalidFragment", r.faultDetail(), "another namespace is another name")
	m.action, m.body = wsman.ActionGet, ""
	require.Equal(t, "nil", requireFragment(t, w.ok(t, m.windows()), "v:Caption"))
}

// A prefix in the expression is bound in the answer as it was in the request.
func TestFragmentHeaderKeepsItsPrefixes(t *testing.T) {
	w := newWorld(t).statuses(t)
	m := fragmentOf(wsman.ActionGet, "v:Caption", "")
	m.headers = strings.Replace(m.headers, "<fr:FragmentTransfer ", `<fr:FragmentTransfer Dialect=" `+strings.ToUpper(wsman.DialectXPath)+` " `, 1)
	r := w.ok(t, m.windows())
	header := soap.Child(r.Header, wsman.NSWSMan, "FragmentTransfer")
	bound, ok := prefixesAt(header)("v")
	require.True(t, ok)
	require.Equal(t, volumeURI, bound)
	dialect, _ := soap.Attr(header, "", "Dialect")
	require.True(t, wsman.SameDialect(dialect, wsman.DialectXPath))
	_, ok = prefixesAt(header)("none")
	require.False(t, ok)
}

func TestPutFragment(t *testing.T) {
	status := func(ns ...uint64) cim.Value {
		list := []cim.Value{}
		for _, n := range ns {
			list = append(list, n)
		}
		return list
	}
	const one, two = `<OperationalStatus>11</OperationalStatus>`, `<OperationalStatus>11</OperationalStatus><OperationalStatus>12</OperationalStatus>`
	for _, tt := range []struct {
		action, expr, content, property string
		want                            cim.Value
	}{
		{wsman.ActionPut, "Caption", `<v:Caption xmlns:v="` + volumeURI + `">blue</v:Caption>`, "Caption", "blue"},
		{wsman.ActionPut, "Caption/text()", ` blue `, "Caption", " blue "},
		{wsman.ActionPut, "Caption", `<Caption xsi:nil="true"/>`, "Caption", nil},
		{wsman.ActionPut, "Caption", `nil`, "Caption", nil},
		{wsman.ActionPut, "Caption", `<Caption/>`, "Caption", ""},
		{wsman.ActionPut, "/T_Volume/Size[1]", `<Size>7</Size>`, "Size", uint64(7)},
		{wsman.ActionPut, "OperationalStatus", two, "OperationalStatus", status(11, 12)},
		{wsman.ActionPut, "OperationalStatus", `nil`, "OperationalStatus", nil},
		{wsman.ActionPut, "OperationalStatus[2]", one, "OperationalStatus", status(2, 11, 9)},
		{wsman.ActionPut, "OperationalStatus[2]/text()", "11", "OperationalStatus", status(2, 11, 9)},
		{wsman.ActionPut, "OperationalStatus[.>2]", two, "OperationalStatus", status(2, 11, 12)},
		{wsman.ActionPut, "OperationalStatus[3]", `<OperationalStatus xsi:nil="true"/>`, "OperationalStatus", []cim.Value{uint64(2), uint64(5), nil}},
		{wsman.ActionCreate, "OperationalStatus", two, "OperationalStatus", status(2, 5, 9, 11, 12)},
		{wsman.ActionCreate, "OperationalStatus[1]", two, "OperationalStatus", status(11, 12, 2, 5, 9)},
		{wsman.ActionCreate, "OperationalStatus[3]", one, "OperationalStatus", status(2, 5, 11, 9)},
		{wsman.ActionCreate, "OperationalStatus[4]", one, "OperationalStatus", status(2, 5, 9, 11)},
		{wsman.ActionCreate, "OperationalStatus[.='5']", one, "OperationalStatus", status(2, 11, 5, 9)},
		{wsman.ActionDelete, "Caption", "", "Caption", nil},
		{wsman.ActionDelete, "OperationalStatus", "", "OperationalStatus", nil},
		{wsman.ActionDelete, "OperationalStatus[1]", "", "OperationalStatus", status(5, 9)},
		{wsman.ActionDelete, "OperationalStatus[.>2]", "", "OperationalStatus", status(2)},
		{wsman.ActionDelete, "OperationalStatus[.>0]", "", "OperationalStatus", status()},
	} {
		for family, write := range families() {
			w := newWorld(t).statuses(t)
			r := w.ok(t, write(fragmentOf(tt.action, tt.expr, tt.content)))
			name := strings.Join([]string{family, tt.action, tt.expr}, " ")
			have := w.broker.instances[0].Get(tt.property)
			require.True(t, cim.Equal(tt.want, have), "%s: %v", name, have)
			require.Len(t, w.broker.changes, 1, name)
			require.Equal(t, tt.action+"Response", r.Action)
			require.Equal(t, tt.expr, soap.ChildText(r.Header, wsman.NSWSMan, "FragmentTransfer"), name)
			switch tt.action {
			case wsman.ActionPut:
				require.Equal(t, "XmlFragment", r.Body.Tag, name)
			case wsman.ActionCreate:
				require.Equal(t, "ResourceCreated", r.Body.Tag, name)
			default:
				require.Nil(t, r.Body, name)
			}
		}
	}
}

// A property that is NULL, or an array without entries, has no element or an empty one.
func TestFragmentsOfNothing(t *testing.T) {
	for _, empty := range []cim.Value{nil, []cim.Value{}} {
		for _, expr := range []string{"OperationalStatus", "OperationalStatus[1]"} {
			w := newWorld(t).statuses(t)
			require.NoError(t, w.broker.instances[0].Set("OperationalStatus", empty))
			w.fails(t, fragmentOf(wsman.ActionCreate, "OperationalStatus[2]", `<OperationalStatus>4</OperationalStatus>`).windows(), "x:InvalidRepresentation")
			w.fails(t, fragmentOf(wsman.ActionDelete, "OperationalStatus[1]", "").windows(), "x:InvalidRepresentation")
			w.ok(t, fragmentOf(wsman.ActionCreate, expr, `<OperationalStatus>4</OperationalStatus>`).windows())
			require.Equal(t, []cim.Value{uint64(4)}, w.broker.instances[0].Get("OperationalStatus"))
		}
	}
	w := newWorld(t).statuses(t)
	w.ok(t, fragmentOf(wsman.ActionDelete, "Caption", "").windows())
	w.ok(t, fragmentOf(wsman.ActionCreate, "Caption/text()", "made").windows())
	require.Equal(t, "made", w.broker.instances[0].Get("Caption"))
}

func TestFragmentFails(t *testing.T) {
	w := newWorld(t).statuses(t)
	const caption, status = `<Caption>x</Caption>`, `<OperationalStatus>1</OperationalStatus>`
	for _, tt := range []struct {
		action, expr, content string
		subcode, detail, says string
	}{
		{wsman.ActionGet, "Caption[", "", "w:CannotProcessFilter", "", "character 9"},
		{wsman.ActionGet, " ", "", "w:CannotProcessFilter", "", "character 1"},
		{wsman.ActionGet, "//Caption", "", "w:CannotProcessFilter", "", "//"},
		{wsman.ActionPut, "Caption", "", "x:InvalidRepresentation", "InvalidFragment", "w:XmlFragment"},
		{wsman.ActionPut, "Caption", `<Size>1</Size>`, "x:InvalidRepresentation", "InvalidFragment", `"Size"`},
		{wsman.ActionPut, "Caption", `text`, "x:InvalidRepresentation", "InvalidFragment", "text()"},
		{wsman.ActionPut, "Caption", caption + caption, "x:InvalidRepresentation", "InvalidValues", "Caption"},
		{wsman.ActionPut, "Caption/text()", caption, "x:InvalidRepresentation", "InvalidFragment", "elements"},
		{wsman.ActionPut, "Size/text()", "big", "x:InvalidRepresentation", "InvalidValues", "Size"},
		{wsman.ActionPut, "Missing", `<Missing/>`, "x:InvalidRepresentation", "InvalidFragment", `"Missing"`},
		{wsman.ActionPut, "caption", caption, "x:InvalidRepresentation", "InvalidFragment", `"caption"`},
		{wsman.ActionPut, "Missing[.='x']", caption, "x:InvalidRepresentation", "InvalidFragment", "nothing"},
		{wsman.ActionPut, "Caption[2]", caption, "x:InvalidRepresentation", "InvalidFragment", "none at 2"},
		{wsman.ActionPut, "OperationalStatus[4]", status, "x:InvalidRepresentation", "InvalidFragment", "none at 4"},
		{wsman.ActionPut, "OperationalStatus[2]", status + status, "x:InvalidRepresentation", "InvalidFragment", "2 entries"},
		{wsman.ActionPut, "OperationalStatus[2]", "nil", "x:InvalidRepresentation", "InvalidFragment", "0 entries"},
		{wsman.ActionPut, "OperationalStatus/text()", "1", "x:InvalidRepresentation", "InvalidFragment", "position"},
		{wsman.ActionPut, "Caption|Size", caption, "x:InvalidRepresentation", "InvalidFragment", "Caption and Size"},
		{wsman.ActionPut, "/", caption, "w:UnsupportedFeature", "FragmentLevelAccess", "properties"},
		{wsman.ActionPut, "DeviceID", `<DeviceID>V1</DeviceID>`, "x:InvalidRepresentation", "InvalidValues", "DeviceID"},
		{wsman.ActionCreate, "Caption", caption, "w:AlreadyExists", "", "Caption"},
		{wsman.ActionCreate, "Caption[2]", caption, "x:InvalidRepresentation", "InvalidFragment", "Caption"},
		{wsman.ActionCreate, "OperationalStatus[5]", status, "x:InvalidRepresentation", "InvalidFragment", "gap"},
		{wsman.ActionCreate, "OperationalStatus", "nil", "x:InvalidRepresentation", "InvalidFragment", "no entry"},
		{wsman.ActionCreate, "OperationalStatus[.>2]", status, "x:InvalidRepresentation", "InvalidFragment", "several"},
		{wsman.ActionDelete, "OperationalStatus[4]", "", "x:InvalidRepresentation", "InvalidFragment", "none at 4"},
		{wsman.ActionDelete, "Missing", "", "x:InvalidRepresentation", "InvalidFragment", "Missing"},
		{wsman.ActionDelete, "DeviceID", "", "x:InvalidRepresentation", "InvalidValues", "DeviceID"},
		{wsman.ActionDelete, ".", "", "w:UnsupportedFeature", "FragmentLevelAccess", "properties"},
	} {
		t.Run(tt.action[strings.LastIndexByte(tt.action, '/')+1:]+" "+tt.expr, func(t *testing.T) {
			r := w.fails(t, fragmentOf(tt.action, tt.expr, tt.content).windows(), tt.subcode)
			require.Equal(t, tt.detail, r.faultDetail(), r.text)
			require.Contains(t, r.reason(), tt.says)
			require.Empty(t, w.broker.changes)
		})
	}
}

func TestFragmentHeader(t *testing.T) {
	w := newWorld(t).statuses(t)
	for _, tt := range []struct{ from, to, subcode string }{
		{` s:mustUnderstand="true"`, "", ""},
		{`s:mustUnderstand="true"`, `s:mustUnderstand="1"`, ""},
		{`s:mustUnderstand="true"`, `s:mustUnderstand="false"`, "a:InvalidMessageInformationHeader"},
		{`<fr:FragmentTransfer`, `<fr:FragmentTransfer Dialect="http://www.w3.org/TR/xquery/"`, "w:FragmentDialectNotSupported"},
	} {
		m := fragmentOf(wsman.ActionGet, "Caption", "")
		m.headers = strings.Replace(m.headers, tt.from, tt.to, 1)
		r := w.post(t, m.windows())
		if tt.subcode == "" {
			require.Equal(t, "Caption=red ", requireFragment(t, r, "Caption"))
			continue
		}
		r.requireFault(t, tt.subcode)
		if tt.subcode == "w:FragmentDialectNotSupported" {
			require.Contains(t, r.reason(), wsman.DialectXPath, "the one that is served is named")
		}
	}
	m := classRequest(wsman.ActionGet, "T_Volume", "")
	m.headers = fragmentOf(wsman.ActionGet, "Name", "").headers
	require.Equal(t, "FragmentLevelAccess", w.fails(t, m.windows(), "w:UnsupportedFeature").faultDetail())
	m = fragmentOf(wsman.ActionPut, "Caption", `<Caption>x</Caption>`)
	m.selectors = volumeKeys("V9")
	for _, action := range []string{wsman.ActionGet, wsman.ActionPut, wsman.ActionCreate, wsman.ActionDelete} {
		m.action = action
		w.fails(t, m.windows(), "a:DestinationUnreachable")
	}
}

// FuzzFragment sends any expression and any fragment: there is always an answer, and
// what is refused changes nothing.
func FuzzFragment(f *testing.F) {
	for _, expr := range []string{"Caption", "OperationalStatus[2]", "OperationalStatus[.>2]/text()", "../T_Volume/Size", "Caption|Size", "/", "OperationalStatus[4]"} {
		f.Add(byte(0), expr, `<Caption>x</Caption>`)
		f.Add(byte(1), expr, `<OperationalStatus>4</OperationalStatus>`)
		f.Add(byte(2), expr, `text`)
		f.Add(byte(3), expr, `nil`)
	}
	actions := []string{wsman.ActionGet, wsman.ActionPut, wsman.ActionCreate, wsman.ActionDelete}
	w := newWorld(f).withVolumes(1)
	in := w.broker.instances[0]
	f.Fuzz(func(t *testing.T, action byte, expr, content string) {
		_ = in.Set("OperationalStatus", []uint16{2, 5, 9})
		w.broker.changes = nil
		var quoted soap.Writer
		quoted.Text(expr)
		m := fragmentOf(actions[action%4], "", content)
		m.headers = strings.Replace(m.headers, "\n\n", string(quoted.Bytes()), 1)
		r := httpRequest(m.windows())
		rec := w.serve(t, r)
		if rec.Code != 200 && (len(w.broker.changes) > 0 || strings.Contains(rec.Body.String(), "w:InternalError")) {
			t.Fatalf("%d %v %s", rec.Code, w.broker.changes, rec.Body)
		}
	})
}
