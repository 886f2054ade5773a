package server

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// withPairs makes V1 and V2 the replicas of V0, and V3 one of V1.
func (w *world) withPairs() *world {
	w.withVolumes(4)
	for _, p := range [][2]int{{0, 1}, {0, 2}, {1, 3}} {
		all := w.broker.all()
		w.broker.put("T_Pair", "Source", all[p[0]].Path, "Target", all[p[1]].Path, "State", uint64(4))
	}
	return w
}

func association(kind, inner string) string {
	return `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements><w:Filter Dialect=" http://schemas.dmtf.org/wbem/wsman/1/cimbinding/ASSOCIATIONfilter">` +
		`<b:` + kind + `><b:Object>` + refTo("V0") + `</b:Object>` + inner + `</b:` + kind + `></w:Filter>`
}

func TestAssociationFilter(t *testing.T) {
	const pairURI = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_Pair"
	const wmiAll = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/*"
	tests := []struct {
		name  string
		uri   string
		kind  string
		inner string
		want  []string
	}{
		{"associators", wsman.AllClassesURI, "AssociatedInstances", "", []string{"T_Volume", "T_Volume"}},
		{"associators of WMI", wmiAll, "AssociatedInstances", "", []string{"T_Volume", "T_Volume"}},
		{"associators by class", wsman.AllClassesURI, "AssociatedInstances",
			`<b:AssociationClassName>T_Pair</b:AssociationClassName><b:ResultClassName>T_Volume</b:ResultClassName>`, []string{"T_Volume", "T_Volume"}},
		{"associators by role", wsman.AllClassesURI, "AssociatedInstances", `<b:Role>Target</b:Role>`, nil},
		{"associators by result role", wsman.AllClassesURI, "AssociatedInstances", `<b:ResultRole>Target</b:ResultRole>`, []string{"T_Volume", "T_Volume"}},
		{"associators of another class", wsman.AllClassesURI, "AssociatedInstances", `<b:ResultClassName>T_Job</b:ResultClassName>`, nil},
		{"associators under a class URI", volumeURI, "AssociatedInstances", "", []string{"T_Volume", "T_Volume"}},
		{"references", wsman.AllClassesURI, "AssociationInstances", "", []string{"T_Pair", "T_Pair"}},
		{"references under a class URI", pairURI, "AssociationInstances", "", []string{"T_Pair", "T_Pair"}},
	}
	w := newWorld(t).withPairs()
	for family, write := range families() {
		for _, tt := range tests {
			t.Run(family+"/"+tt.name, func(t *testing.T) {
				r := w.ok(t, write(enumerate(tt.uri, association(tt.kind, tt.inner))))
				require.True(t, r.ended())
				var got []string
				for _, e := range r.items() {
					got = append(got, e.Tag)
				}
				require.Equal(t, tt.want, got)
			})
		}
	}
}

func TestAssociationModes(t *testing.T) {
	w := newWorld(t).withPairs()
	for _, mode := range []string{"EnumerateEPR", "EnumerateObjectAndEPR"} {
		m := enumerate(wsman.AllClassesURI, association("AssociatedInstances", "")+"<w:EnumerationMode>"+mode+"</w:EnumerationMode>")
		var got []string
		for _, e := range w.ok(t, m.windows()).items() {
			got = append(got, deviceOf(t, e))
		}
		require.Equal(t, []string{"V1", "V2"}, got)
	}
}

func TestFilterFails(t *testing.T) {
	w := newWorld(t).withPairs()
	filter := func(uri, dialect, inner string) message {
		return enumerate(uri, `<w:Filter Dialect="`+dialect+`">`+inner+`</w:Filter>`)
	}
	object := func(inner string) string {
		return `<b:AssociatedInstances><b:Object>` + inner + `</b:Object></b:AssociatedInstances>`
	}
	with := func(inner string) message {
		return filter(wsman.AllClassesURI, wsman.DialectAssociation, `<b:AssociatedInstances><b:Object>`+refTo("V0")+`</b:Object>`+inner+`</b:AssociatedInstances>`)
	}
	selectors := func(inner string) message {
		return filter(volumeURI, wsman.DialectSelector, `<w:SelectorSet>`+inner+`</w:SelectorSet>`)
	}
	selector := func(name, value string) string { return `<w:Selector Name="` + name + `">` + value + `</w:Selector>` }
	const cannot, unavailable = "n:CannotProcessFilter", "n:FilterDialectRequestedUnavailable"
	tests := []struct {
		name    string
		message message
		subcode string
		says    string
	}{
		{"a bad query", filter(wsman.AllClassesURI, wsman.DialectWQL, "select"), cannot, "line 1, column 1"},
		{"a query in elements", filter(wsman.AllClassesURI, wsman.DialectCQL, "select <b:x/> * from T_Volume"), cannot, "is text"},
		{"an empty query", filter(wsman.AllClassesURI, wsman.DialectWQL, " \n "), cannot, "is empty"},
		{"a query of another class", filter(serviceURI, wsman.DialectWQL, "select thin"), cannot, "T_ThinVolume"},
		{"a query of a superclass", filter(volumeURI+"x", wsman.DialectWQL, "select thin"), "a:DestinationUnreachable", "T_Volumex"},
		{"an unknown dialect", filter(wsman.AllClassesURI, "http://example.org/dialect", "x"), unavailable, "http://example.org/dialect"},
		{"of n:", enumerate(volumeURI, `<n:Filter Dialect="x">x</n:Filter>`), unavailable, `"x"`},
		{"two filters", enumerate(volumeURI, `<n:Filter>.</n:Filter><w:Filter>.</w:Filter>`), cannot, "more than one"},
		{"the same filter twice", enumerate(volumeURI, `<w:Filter>.</w:Filter><w:Filter>.</w:Filter>`), cannot, "more than one"},
		{"XPath that is none", filter(volumeURI, wsman.DialectXPath, "a[[b"), cannot, "character 3"},
		{"XPath of all classes", filter(wsman.AllClassesURI, wsman.DialectXPath, "."), cannot, "resource URI of a class"},
		{"XPath of no class", filter(volumeURI+"x", wsman.DialectXPath, "."), "a:DestinationUnreachable", "T_Volumex"},
		{"selectors of all classes", filter(wsman.AllClassesURI, wsman.DialectSelector, `<w:SelectorSet/>`), cannot, "resource URI of a class"},
		{"selectors as text", filter(volumeURI, wsman.DialectSelector, `DeviceID="V0"`), cannot, "one element"},
		{"two selector sets", filter(volumeURI, wsman.DialectSelector, `<w:SelectorSet/><w:SelectorSet/>`), cannot, "one element"},
		{"mixed selectors", filter(volumeURI, wsman.DialectSelector, `x<w:SelectorSet/>`), cannot, "one element"},
		{"another element", filter(volumeURI, wsman.DialectSelector, `<w:Selectors/>`), cannot, "w:SelectorSet"},
		{"an unknown property", selectors(selector("Colour", "red")), cannot, `"Colour"`},
		{"an array", selectors(selector("OperationalStatus", "2")), cannot, "OperationalStatus"},
		{"a selector twice", selectors(selector("Size", "2") + selector("size", "2")), cannot, "Size is there twice"},
		{"another type", selectors(selector("Size", "large")), cannot, "Size"},
		{"another namespace", selectors(selector("__cimnamespace", "root/other")), cannot, "__cimnamespace"},
		{"a nameless selector", selectors(selector("", "2")), cannot, "no name"},
		{"no element", filter(wsman.AllClassesURI, wsman.DialectAssociation, ""), cannot, "one element"},
		{"other element", filter(wsman.AllClassesURI, wsman.DialectAssociation, "<b:Other/>"), cannot, "b:AssociatedInstances"},
		{"no object", filter(wsman.AllClassesURI, wsman.DialectAssociation, "<b:AssociatedInstances/>"), cannot, "b:Object"},
		{"two objects", with(`<b:Object>` + refTo("V1") + `</b:Object>`), cannot, "b:Object is there twice"},
		{"two roles", with(`<b:Role>Source</b:Role><b:Role>Source</b:Role>`), cannot, "b:Role is there twice"},
		{"an unknown part", with(`<b:Depth>2</b:Depth>`), cannot, "b:Depth"},
		{"a part of another namespace", with(`<w:Role>Source</w:Role>`), cannot, `"Role"`},
		{"a result role of references", enumerate(wsman.AllClassesURI, association("AssociationInstances", `<b:ResultRole>Target</b:ResultRole>`)), cannot, "b:ResultRole"},
		{"an unknown result class", with(`<b:ResultClassName>T_None</b:ResultClassName>`), "a:DestinationUnreachable", "T_None"},
		{"object is no EPR", filter(wsman.AllClassesURI, wsman.DialectAssociation, object("V0")), cannot, "b:Object"},
		{"no such object", filter(wsman.AllClassesURI, wsman.DialectAssociation, object(refTo("V9"))), cannot, "b:Object"},
		{"half an object", filter(wsman.AllClassesURI, wsman.DialectAssociation,
			object(strings.Replace(refTo("V0"), `<w:Selector Name="SystemName">host</w:Selector>`, "", 1))), cannot, "SystemName"},
		{"a mode without a class", enumerate(wsman.AllClassesURI, association("AssociatedInstances", "")+`<b:PolymorphismMode>None</b:PolymorphismMode>`),
			"b:PolymorphismModeNotSupported", "None"},
	}
	w.queries("select thin", "T_ThinVolume")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := w.fails(t, tt.message.windows(), tt.subcode)
			require.Contains(t, r.reason(), tt.says)
			require.Zero(t, w.contexts.count())
			require.Zero(t, w.broker.open())
		})
	}
}

// The fault for a dialect that is not served says which are.
func TestDialectsAreListed(t *testing.T) {
	w := newWorld(t)
	r := w.fails(t, enumerate(volumeURI, `<w:Filter Dialect="http://example.org/x">x</w:Filter>`).windows(), "n:FilterDialectRequestedUnavailable")
	var listed []string
	for e := range soap.Children(soap.Child(r.Body, wsman.NSSOAP, "Detail")) {
		if soap.Is(e, wsman.NSEnumeration, "SupportedDialect") {
			listed = append(listed, soap.Text(e))
		}
	}
	require.Equal(t, []string{wsman.DialectXPath, wsman.DialectSelector, wsman.DialectAssociation, wsman.DialectWQL, wsman.DialectCQL}, listed)
}

// What a fault says of the CIM error is not lost in the filter's.
func TestAssociationOfNothingHasTheCIMError(t *testing.T) {
	w := newWorld(t).withPairs()
	m := enumerate(wsman.AllClassesURI, strings.Replace(association("AssociatedInstances", ""), ">V0<", ">V9<", 1))
	f := soap.ReadFault(w.fails(t, m.windows(), "n:CannotProcessFilter").Body)
	require.NotNil(t, f.CIM)
	require.Equal(t, cim.StatusNotFound, f.CIM.Status)
}

// queries makes the broker know a query for all instances of a class.
func (w *world) queries(text, class string) *world {
	if w.broker.queries == nil {
		w.broker.queries = map[string]fakeFilter{}
	}
	w.broker.queries[text] = fakeFilter{w.broker.schema.Class(class), func(*cim.Instance) bool { return true }}
	return w
}

// tags are the names of items, with the ids of volumes.
func (r reply) tags(t *testing.T) (all []string) {
	for _, e := range r.items() {
		all = append(all, e.Tag+" "+deviceOf(t, e))
	}
	return all
}

func TestQueryFilter(t *testing.T) {
	const wmiAll = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/storage/iscsitarget/*"
	const query = `select * from T_Volume where Size &lt; 9 and DeviceID = 'V1'`
	shapes := map[string]string{
		"text":             query,
		"text with blanks": "\n  " + query + "\n",
		"CDATA":            `<![CDATA[select * from T_Volume where Size < 9 and DeviceID = 'V1']]>`,
		"in pieces":        `select * from T_Volume where <!-- small --><![CDATA[Size < 9]]> and DeviceID = 'V1'`,
	}
	for family, write := range families() {
		for _, dialect := range []string{wsman.DialectWQL, wsman.DialectCQL, " " + strings.ToUpper(wsman.DialectCQL) + "\n"} {
			for shape, text := range shapes {
				for _, uri := range []string{wsman.AllClassesURI, wmiAll, volumeURI} {
					t.Run(strings.Join([]string{family, dialect, shape, uri}, "/"), func(t *testing.T) {
						w := newWorld(t).withVolumes(4)
						w.broker.queries = map[string]fakeFilter{
							"select * from T_Volume where Size < 9 and DeviceID = 'V1'": {
								w.broker.schema.Class("T_Volume"), func(in *cim.Instance) bool { return in.Get("DeviceID") == "V1" }},
						}
						for _, ns := range []string{"w", "n"} {
							m := enumerate(uri, `<w:OptimizeEnumeration/><w:MaxElements>32000</w:MaxElements><`+ns+`:Filter Dialect="`+dialect+`">`+text+`</`+ns+`:Filter>`)
							r := w.ok(t, write(m))
							require.Equal(t, []string{"T_Volume V1"}, r.tags(t))
							require.True(t, r.ended())
						}
					})
				}
			}
		}
	}
}

// WQL has statements about associations, which are about no class.
func TestQueryOfAssociations(t *testing.T) {
	const statement = "associators of {T_Volume.DeviceID='V0'}"
	w := newWorld(t).withVolumes(4).queries(statement, "T_Volume")
	ask := func(uri, more string) message {
		return enumerate(uri, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`+more+`<w:Filter Dialect="`+wsman.DialectWQL+`">`+statement+`</w:Filter>`)
	}
	require.Len(t, w.ok(t, ask(wsman.AllClassesURI, "").windows()).items(), 4)
	thin := strings.Replace(volumeURI, "T_Volume", "T_ThinVolume", 1)
	require.Equal(t, []string{"T_ThinVolume V3"}, w.ok(t, ask(thin, "").windows()).tags(t))
	w.fails(t, ask(volumeURI+"x", "").windows(), "a:DestinationUnreachable")
	w.fails(t, ask(wsman.AllClassesURI, `<b:PolymorphismMode>None</b:PolymorphismMode>`).windows(), "b:PolymorphismModeNotSupported")
	m := enumerate(wsman.AllClassesURI, `<w:Filter Dialect="`+wsman.DialectWQL+`">references of</w:Filter>`)
	w.fails(t, m.windows(), "n:CannotProcessFilter")
	require.Zero(t, w.contexts.count())
}

func TestSelectorFilter(t *testing.T) {
	w := newWorld(t).withPairs()
	const thinURI, pairURI = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_ThinVolume", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/T_Pair"
	ref := func(class, id string) string {
		return `<a:EndpointReference>` + strings.Replace(refTo(id), "T_Volume", class, 1) + `</a:EndpointReference>`
	}
	tests := []struct {
		name, uri string
		selectors [][2]string
		want      []string
	}{
		{"all keys", volumeURI, [][2]string{{"SystemName", "host"}, {"DeviceID", "V1"}}, []string{"V1"}},
		{"all keys of a subclass", volumeURI, [][2]string{{"systemname", "host"}, {"deviceid", "V3"}}, []string{"V3"}},
		{"all keys and more", volumeURI, [][2]string{{"SystemName", "host"}, {"DeviceID", "V1"}, {"Size", "1073741824"}}, []string{"V1"}},
		{"all keys and something else", volumeURI, [][2]string{{"SystemName", "host"}, {"DeviceID", "V1"}, {"Size", "1"}}, nil},
		{"all keys, not there", volumeURI, [][2]string{{"SystemName", "host"}, {"DeviceID", "V9"}}, nil},
		{"all keys of another class", thinURI, [][2]string{{"SystemName", "host"}, {"DeviceID", "V1"}}, nil},
		{"some keys", volumeURI, [][2]string{{"DeviceID", "V2"}}, []string{"V2"}},
		{"namespace", volumeURI, [][2]string{{"__cimnamespace", `root\CIMV2\storage\iscsitarget`}, {"DeviceID", "V2"}}, []string{"V2"}},
		{"a property", volumeURI, [][2]string{{"Size", "0"}}, []string{"V0"}},
		{"NULL", volumeURI, [][2]string{{"Caption", ""}}, nil},
		{"nothing", volumeURI, nil, []string{"V0", "V1", "V2", "V3"}},
		{"a reference", pairURI, [][2]string{{"Source", ref("T_Volume", "V1")}}, []string{"V3"}},
		{"by a subclass", pairURI, [][2]string{{"Target", ref("T_ThinVolume", "V3")}}, []string{"V3"}},
		{"by a superclass", pairURI, [][2]string{{"Target", ref("T_Volume", "V3")}}, []string{"V3"}},
		{"a reference to nothing", pairURI, [][2]string{{"Source", ref("T_Volume", "V9")}}, nil},
	}
	for family, write := range families() {
		for _, tt := range tests {
			t.Run(family+"/"+tt.name, func(t *testing.T) {
				set := message{selectors: tt.selectors}.selectorSet("w")
				if tt.selectors == nil {
					set = `<w:SelectorSet/>`
				}
				r := w.ok(t, write(enumerate(tt.uri, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`+
					`<w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter">`+set+`</w:Filter>`)))
				var got []string
				for _, e := range r.items() {
					if e.Tag == "T_Pair" {
						e = soap.Child(e, "", "Target")
						epr, err := soap.ReadEPR(e)
						require.NoError(t, err)
						id, _ := wsman.FindSelector(epr.Selectors, "DeviceID")
						got = append(got, id.Value)
						continue
					}
					got = append(got, deviceOf(t, e))
				}
				require.Equal(t, tt.want, got)
				require.True(t, r.ended())
			})
		}
	}
}

// Where all keys are given nothing is enumerated.
func TestSelectorFilterLooksUp(t *testing.T) {
	w := newWorld(t).withVolumes(100)
	visited := 0
	w.broker.each = func(context.Context, int) error { visited++; return nil }
	m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements><w:Filter Dialect="`+wsman.DialectSelector+`">`+
		message{selectors: [][2]string{{"SystemName", "host"}, {"DeviceID", "V57"}}}.selectorSet("w")+`</w:Filter>`)
	require.Equal(t, []string{"T_Volume V57"}, w.ok(t, m.windows()).tags(t))
	require.Zero(t, visited)
}

func TestXPathFilter(t *testing.T) {
	w := newWorld(t).withVolumes(6)
	tests := map[string][]string{
		"DeviceID='V1'":                       {"T_Volume V1"},
		"../T_Volume[DeviceID='V1']":          {"T_Volume V1"},
		"/T_Volume[p:DeviceID='V1']":          {"T_Volume V1"},
		"../T_Volume[DeviceID='V3']":          nil, // it is a T_ThinVolume
		"../*[DeviceID='V3']":                 {"T_ThinVolume V3"},
		"Size &gt; 4000000000":                {"T_Volume V4", "T_Volume V5"},
		"Size &lt; 1 or OperationalStatus=99": {"T_Volume V0"},
	}
	for text, want := range tests {
		for _, dialect := range []string{`Dialect="http://www.w3.org/TR/1999/REC-xpath-19991116"`, ``, `Dialect=" "`} {
			for _, mode := range []string{"", "<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>"} {
				m := enumerate(volumeURI, `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements>`+mode+
					`<w:Filter xmlns:p="`+volumeURI+`" `+dialect+`>`+text+`</w:Filter>`)
				r := w.ok(t, m.openwsman())
				var got []string
				for _, e := range r.items() {
					if e.Tag == "Item" {
						e = soap.FirstChild(e)
					}
					got = append(got, e.Tag+" "+deviceOf(t, e))
				}
				require.Equal(t, want, got, text)
			}
		}
	}
}

// Every polymorphism mode with every filter: which instances, and as what.
func TestPolymorphismWithFilters(t *testing.T) {
	filters := map[string]struct{ uri, xml string }{
		"none":     {volumeURI, ""},
		"WQL":      {wsman.AllClassesURI, `<w:Filter Dialect="` + wsman.DialectWQL + `">select volumes</w:Filter>`},
		"selector": {volumeURI, `<w:Filter Dialect="` + wsman.DialectSelector + `"><w:SelectorSet><w:Selector Name="SystemName">host</w:Selector></w:SelectorSet></w:Filter>`},
		"XPath":    {volumeURI, `<w:Filter>SystemName='host'</w:Filter>`},
		"associators": {wsman.AllClassesURI, `<w:Filter Dialect="` + wsman.DialectAssociation + `"><b:AssociatedInstances><b:Object>` + refTo("V1") +
			`</b:Object><b:ResultClassName>T_Volume</b:ResultClassName></b:AssociatedInstances></w:Filter>`},
		"associators by URI": {volumeURI, `<w:Filter Dialect="` + wsman.DialectAssociation + `"><b:AssociatedInstances><b:Object>` + refTo("V1") +
			`</b:Object></b:AssociatedInstances></w:Filter>`},
	}
	modes := map[string]map[string]string{ // class of V3, as what it is sent
		"": {"T_ThinVolume": "T_ThinVolume"}, wsman.PolymorphismInclude: {"T_ThinVolume": "T_ThinVolume"},
		wsman.PolymorphismExclude: {"T_ThinVolume": "T_Volume"}, wsman.PolymorphismNone: {},
	}
	w := newWorld(t).withPairs().queries("select volumes", "T_Volume")
	for name, filter := range filters {
		for mode, sent := range modes {
			t.Run(name+"/"+mode, func(t *testing.T) {
				inner := `<w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements><w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>` + filter.xml
				if mode != "" {
					inner += `<b:PolymorphismMode>` + mode + `</b:PolymorphismMode>`
				}
				want, found := sent["T_ThinVolume"]
				for _, it := range w.ok(t, enumerate(filter.uri, inner).windows()).items() {
					in := soap.FirstChild(it)
					if deviceOf(t, it) != "V3" {
						require.Equal(t, "T_Volume", in.Tag)
						continue
					}
					require.True(t, found, "V3 is of a subclass")
					found = false
					require.Equal(t, want, in.Tag)
					require.Equal(t, want == "T_ThinVolume", soap.Child(in, "", "Allocated") != nil)
					epr, err := soap.ReadEPR(soap.Child(it, wsman.NSAddressing, "EndpointReference"))
					require.NoError(t, err)
					require.True(t, strings.HasSuffix(epr.ResourceURI, "/T_ThinVolume"), "the reference names the instance as what it is")
				}
				require.False(t, found, "V3 was sent")
			})
		}
	}
}

// The class of the resource URI counts before instances are shown as another.
func TestPolymorphismUnderANarrowerURI(t *testing.T) {
	w := newWorld(t).withPairs()
	thin := strings.Replace(volumeURI, "T_Volume", "T_ThinVolume", 1)
	filter := strings.Replace(association("AssociatedInstances", `<b:ResultClassName>T_Volume</b:ResultClassName>`), ">V0<", ">V1<", 1)
	m := enumerate(thin, filter+`<b:PolymorphismMode>ExcludeSubClassProperties</b:PolymorphismMode>`)
	require.Equal(t, []string{"T_Volume V3"}, w.ok(t, m.windows()).tags(t))
}

// What the select list leaves out stays out when a superclass stands for it.
func TestAsBaseKeepsWhatIsHidden(t *testing.T) {
	b := newFakeBroker()
	in := b.put("T_ThinVolume", "SystemName", "host", "DeviceID", "V0", "Size", uint64(9), "Allocated", uint64(3))
	shown := make([]bool, len(in.Class.Properties))
	shown[in.Class.Property("Size").Index] = true
	out := asBase(in.Only(shown), b.schema.Class("T_Volume"))
	require.Equal(t, uint64(9), out.Get("Size"))
	require.Same(t, in.Path, out.Path)
	for _, p := range out.Class.Properties {
		require.Equal(t, p.Name != "Size", out.Hidden(p.Index), p.Name)
	}
}
