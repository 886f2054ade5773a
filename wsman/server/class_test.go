package server

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/wsman"
	"twinlun/wsman/soap"
)

func classRequest(action, name, body string) message {
	m := message{action: action, uri: wsman.SchemaURI, body: body, selectors: [][2]string{{"__cimnamespace", testNamespace}}}
	m.selectors = append(m.selectors, [2]string{"ClassName", name})
	return m
}

func className(e *soap.Element) string {
	name, _ := soap.Attr(e, "", "NAME")
	return name
}

func TestGetClass(t *testing.T) {
	w := newWorld(t)
	for family, write := range families() {
		t.Run(family, func(t *testing.T) {
			r := w.ok(t, write(classRequest(wsman.ActionGet, "t_thinvolume", "")))
			require.Equal(t, wsman.ActionGet+"Response", r.Action)
			require.Equal(t, "CLASS", r.Body.Tag)
			ns, _ := soap.Namespace(r.Body)
			require.Empty(t, ns)
			require.Equal(t, "T_ThinVolume", className(r.Body))
			require.Contains(t, r.text, `"Allocated"`)
			require.Contains(t, r.text, `"DeviceID"`)
		})
	}
}

func TestGetClassOptions(t *testing.T) {
	w := newWorld(t)
	m := classRequest(wsman.ActionGet, "T_ThinVolume", "")
	r := w.ok(t, m.windows())
	require.Contains(t, r.text, "CLASSORIGIN")
	m.headers = `<w:OptionSet><w:Option Name="wmi:IncludeClassOrigin">false</w:Option><w:Option Name="IncludeInheritedElements">FALSE</w:Option></w:OptionSet>`
	r = w.ok(t, m.windows())
	require.NotContains(t, r.text, "CLASSORIGIN")
	require.NotContains(t, r.text, `"DeviceID"`)
	require.Contains(t, r.text, `"Allocated"`)
}

func TestGetClassFails(t *testing.T) {
	w := newWorld(t)
	w.fails(t, classRequest(wsman.ActionGet, "T_None", "").windows(), "a:DestinationUnreachable")
	w.fails(t, classRequest(wsman.ActionGet, "", "").windows(), "w:InvalidSelectors")
	m := classRequest(wsman.ActionGet, "T_Volume", "")
	m.selectors[0][1] = "root/none"
	r := w.fails(t, m.windows(), "a:DestinationUnreachable")
	require.Contains(t, r.text, `>3</`)
}

func TestEnumerateClasses(t *testing.T) {
	w := newWorld(t)
	body := enumerate("", `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements>`).body
	names := func(name string) (all []string) {
		r := w.ok(t, classRequest(wsman.ActionEnumerate, name, body).windows())
		require.True(t, r.ended())
		for _, e := range r.items() {
			all = append(all, className(e))
		}
		return all
	}
	require.Equal(t, []string{"T_Element", "T_Volume", "T_ThinVolume", "T_Job", "T_Setting", "T_Service", "T_Pair"}, names(""))
	require.Equal(t, []string{"T_ThinVolume"}, names("T_Volume"))
	require.Empty(t, names("T_Job"))
	w.fails(t, classRequest(wsman.ActionEnumerate, "T_None", body).windows(), "a:DestinationUnreachable")
}
