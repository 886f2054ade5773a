package wscim

import (
	"errors"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
)

const (
	selectors = `<w:SelectorSet><w:Selector Name="SystemName">host</w:Selector><w:Selector Name="DeviceID"> 7 </w:Selector></w:SelectorSet>`
	inlineEPR = `<a:Address>` + wsman.Anonymous + `</a:Address><a:ReferenceParameters><w:ResourceURI> ` + wsman.ClassPrefix + `T_Disk </w:ResourceURI>` + selectors + `</a:ReferenceParameters>`
)

func decodeOne(t *testing.T, s *testSchema, params string) (cim.Args, error) {
	t.Helper()
	return DecodeArgs(parsed(t, `<p:Do_INPUT>`+params+`</p:Do_INPUT>`), s.method, s.env())
}

func setting(t *testing.T, c *cim.Class, values map[string]cim.Value) *cim.Instance {
	t.Helper()
	in := cim.NewInstance(c)
	for name, v := range values {
		require.NoError(t, in.Set(name, v))
	}
	return in
}

// All the shapes in which clients send the same thing.
func TestDecodeArgsTakesWhatClientsSend(t *testing.T) {
	s := newSchema()
	level := setting(t, s.setting, map[string]cim.Value{"Level": 7})
	special := setting(t, s.special, map[string]cim.Value{"Level": 7, "More": true})
	noon := cim.DateTime{Time: time.Date(1999, 9, 29, 19, 59, 59, 0, time.FixedZone("", -7*3600))}
	cimxml := `<INSTANCE CLASSNAME="T_Special"><QUALIFIER NAME="x"/><PROPERTY NAME="level" TYPE="uint16"><VALUE>7</VALUE></PROPERTY><PROPERTY NAME="More" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY>` +
		`<PROPERTY.ARRAY NAME="Tags" TYPE="string"><VALUE.ARRAY><VALUE>a</VALUE><VALUE.NULL/></VALUE.ARRAY></PROPERTY.ARRAY></INSTANCE>`
	tagged := setting(t, s.special, map[string]cim.Value{"Level": 7, "More": true, "Tags": []cim.Value{"a", nil}})
	xmlText := html.EscapeString(`<q:T_Setting xmlns:q="` + wsman.ClassPrefix + `T_Setting"><q:Level>7</q:Level></q:T_Setting>`)
	for name, c := range map[string]struct {
		xml  string
		want cim.Args
	}{
		"any case":            {`<p:ONE_STRING>x</p:ONE_STRING>`, cim.Args{{Name: "One_string", Value: "x"}}},
		"other namespace":     {`<q:One_string xmlns:q="urn:q">x</q:One_string>`, cim.Args{{Name: "One_string", Value: "x"}}},
		"no namespace":        {`<One_string>x</One_string>`, cim.Args{{Name: "One_string", Value: "x"}}},
		"xsi:type is ignored": {`<p:One_uint16 xsi:type="zzz:cimSInt32">8</p:One_uint16>`, cim.Args{{Name: "One_uint16", Value: uint64(8)}}},
		"booleans":            {`<p:One_boolean>TRUE</p:One_boolean>`, cim.Args{{Name: "One_boolean", Value: true}}},
		"boolean 0":           {`<p:One_boolean> 0 </p:One_boolean>`, cim.Args{{Name: "One_boolean", Value: false}}},
		"null":                {`<p:One_string xsi:nil="true"/>`, nil},
		"null by wrong xsi":   {`<p:One_string xmlns:xsi="urn:wrong" xsi:nil="TRUE"/>`, nil},
		"nil is false":        {`<p:One_string xsi:nil="false">x</p:One_string>`, cim.Args{{Name: "One_string", Value: "x"}}},
		"empty string":        {`<p:One_string/>`, cim.Args{{Name: "One_string", Value: ""}}},
		"empty number":        {`<p:One_uint16> </p:One_uint16>`, nil},
		"array of one":        {`<p:Many_string>x</p:Many_string>`, cim.Args{{Name: "Many_string", Value: []cim.Value{"x"}}}},
		"array in pieces":     {`<p:Many_string>x</p:Many_string><p:One_uint8>1</p:One_uint8><p:many_string>y</p:many_string>`, cim.Args{{Name: "Many_string", Value: []cim.Value{"x", "y"}}, {Name: "One_uint8", Value: uint64(1)}}},
		"null array":          {`<p:Many_string xsi:nil="true"/>`, nil},
		"empty array":         {`<p:Many_uint16/>`, nil},
		"null octets":         {`<p:Octets xsi:nil="true"/>`, nil},
		"null in an array":    {`<p:Many_string xsi:nil="true"/><p:Many_string>x</p:Many_string>`, cim.Args{{Name: "Many_string", Value: []cim.Value{nil, "x"}}}},
		"null output":         {`<p:Job xsi:nil="true"/>`, nil},
		"octets in numbers":   {`<p:Octets>1</p:Octets><p:Octets>255</p:Octets>`, cim.Args{{Name: "Octets", Value: []cim.Value{uint64(1), uint64(255)}}}},
		"one octet":           {`<p:Octets>255</p:Octets>`, cim.Args{{Name: "Octets", Value: []cim.Value{uint64(255)}}}},
		"octets in base64": {`<p:Octets xsi:type="cim:cimBase64Binary">AQ/
 /</p:Octets>`, cim.Args{{Name: "Octets", Value: []cim.Value{uint64(1), uint64(15), uint64(255)}}}},
		"DMTF time, MI":         {`<p:One_datetime xsi:type="cim:cimDateTime"><CIM_DateTime>19990929195959.000000-420</CIM_DateTime></p:One_datetime>`, cim.Args{{Name: "One_datetime", Value: noon}}},
		"XSD time":              {`<p:One_datetime><cim:Datetime>1999-09-29T19:59:59-07:00</cim:Datetime></p:One_datetime>`, cim.Args{{Name: "One_datetime", Value: noon}}},
		"plain time":            {`<p:One_datetime> 1999-09-29T19:59:59-07:00 </p:One_datetime>`, cim.Args{{Name: "One_datetime", Value: noon}}},
		"interval":              {`<p:One_datetime><cim:Interval>P1DT2H</cim:Interval></p:One_datetime>`, cim.Args{{Name: "One_datetime", Value: cim.IntervalValue(26 * time.Hour)}}},
		"DMTF interval":         {`<p:One_datetime>00000001020000.000000:000</p:One_datetime>`, cim.Args{{Name: "One_datetime", Value: cim.IntervalValue(26 * time.Hour)}}},
		"no time":               {`<p:One_datetime><cim:Datetime/></p:One_datetime>`, nil},
		"inline reference":      {`<p:One_ref>` + inlineEPR + `</p:One_ref>`, cim.Args{{Name: "One_ref", Value: diskPath(7)}}},
		"wrapped reference":     {`<p:One_ref> <a:EndpointReference>` + inlineEPR + `</a:EndpointReference> </p:One_ref>`, cim.Args{{Name: "One_ref", Value: diskPath(7)}}},
		"undeclared prefixes":   {`<p:One_ref><z:ReferenceParameters><y:ResourceURI>` + wsman.ClassPrefix + `T_Disk</y:ResourceURI>` + strings.ReplaceAll(selectors, "w:", "y:") + `</z:ReferenceParameters></p:One_ref>`, cim.Args{{Name: "One_ref", Value: diskPath(7)}}},
		"reference by instance": {`<p:One_ref xmlns:q="urn:q" xsi:type="q:T_Disk_Type"><q:SystemName>host</q:SystemName><q:DeviceID>7</q:DeviceID><q:ElementName>n</q:ElementName></p:One_ref>`, cim.Args{{Name: "One_ref", Value: diskPath(7)}}},
		"instance, no type":     {`<p:Many_ref><p:SystemName>host</p:SystemName><p:DeviceID>7</p:DeviceID></p:Many_ref>`, cim.Args{{Name: "Many_ref", Value: []cim.Value{diskPath(7)}}}},
		"instance as element":   {`<p:One_ref><q:T_Disk xmlns:q="urn:q"><q:SystemName>host</q:SystemName><q:DeviceID>7</q:DeviceID></q:T_Disk></p:One_ref>`, cim.Args{{Name: "One_ref", Value: diskPath(7)}}},
		"no reference":          {`<p:One_ref/>`, nil},
		"embedded by type":      {`<p:One_emb xmlns:q="urn:q" xsi:type="q:T_Special_Type"><q:level>7</q:level><q:More>1</q:More></p:One_emb>`, cim.Args{{Name: "One_emb", Value: special}}},
		"embedded as declared":  {`<p:One_emb><p:Level>7</p:Level></p:One_emb>`, cim.Args{{Name: "One_emb", Value: level}}},
		"embedded as element":   {`<p:One_emb><q:T_Special xmlns:q="urn:q"><q:Level>7</q:Level><q:More>1</q:More></q:T_Special></p:One_emb>`, cim.Args{{Name: "One_emb", Value: special}}},
		"embedded as text":      {`<p:One_emb xsi:type="cim:cimString"> ` + xmlText + `</p:One_emb>`, cim.Args{{Name: "One_emb", Value: level}}},
		"embedded in CDATA":     {`<p:One_emb><![CDATA[` + html.UnescapeString(xmlText) + `]]></p:One_emb>`, cim.Args{{Name: "One_emb", Value: level}}},
		"CIM-XML as text":       {`<p:One_emb>` + html.EscapeString(cimxml) + `</p:One_emb>`, cim.Args{{Name: "One_emb", Value: tagged}}},
		"CIM-XML as element":    {`<p:One_emb>` + cimxml + `</p:One_emb>`, cim.Args{{Name: "One_emb", Value: tagged}}},
		"embedded, empty":       {`<p:One_emb/>`, nil},
		"no properties":         {`<p:One_emb xsi:type="p:T_Setting_Type"/>`, cim.Args{{Name: "One_emb", Value: cim.NewInstance(s.setting)}}},
		"embedded, empty text":  {`<p:One_emb xsi:type="cim:cimString"></p:One_emb>`, nil},
		"reference, empty text": {`<p:One_ref xsi:type="cim:cimString"/>`, nil},
		"type without suffix":   {`<p:One_emb xsi:type="T_Special"><Level>7</Level><More>true</More></p:One_emb>`, cim.Args{{Name: "One_emb", Value: special}}},
		"any object":            {`<p:Any_emb xsi:type="T_Special_Type"><Level>7</Level><More>true</More></p:Any_emb>`, cim.Args{{Name: "Any_emb", Value: special}}},
		"nothing":               {``, nil},
	} {
		have, err := decodeOne(t, s, c.xml)
		require.NoError(t, err, name)
		require.Len(t, have, len(c.want), name)
		for i, a := range c.want {
			require.Equal(t, a.Name, have[i].Name, name)
			require.True(t, cim.Equal(a.Value, have[i].Value), "%s: %v, not %v", name, have[i].Value, a.Value)
		}
	}
	none, err := DecodeArgs(nil, s.method, s.env())
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestDecodeArgsRefuses(t *testing.T) {
	s := newSchema()
	deep := strings.Repeat(`<Inner xsi:type="T_Setting_Type">`, 9) + strings.Repeat(`</Inner>`, 9)
	for name, c := range map[string]struct{ xml, param, says string }{
		"scalar twice":      {`<p:One_string>a</p:One_string><p:One_STRING>b</p:One_STRING>`, "One_string", "more than once"},
		"out of range":      {`<p:One_uint8>256</p:One_uint8>`, "One_uint8", "range"},
		"negative":          {`<p:One_uint8>-1</p:One_uint8>`, "One_uint8", "range"},
		"no number":         {`<p:Many_sint16>1</p:Many_sint16><p:Many_sint16>x</p:Many_sint16>`, "Many_sint16", "entry 2"},
		"no boolean":        {`<p:One_boolean>yes</p:One_boolean>`, "One_boolean", "true or false"},
		"no time":           {`<p:One_datetime>noon</p:One_datetime>`, "One_datetime", ""},
		"no base64":         {`<p:Octets>!!!!</p:Octets>`, "Octets", "base64"},
		"elements in text":  {`<p:One_string><b/></p:One_string>`, "One_string", "elements"},
		"output":            {`<p:Job>` + inlineEPR + `</p:Job>`, "Job", "output"},
		"reference as text": {`<p:One_ref>T_Disk.DeviceID=7</p:One_ref>`, "One_ref", "endpoint reference"},
		"no resource URI":   {`<p:One_ref><a:ReferenceParameters>` + selectors + `</a:ReferenceParameters></p:One_ref>`, "One_ref", "ResourceURI"},
		"unknown class":     {`<p:One_ref>` + strings.Replace(inlineEPR, "T_Disk", "T_Tape", 1) + `</p:One_ref>`, "One_ref", `no class "T_Tape"`},
		"wrong class":       {`<p:One_ref xsi:type="p:T_Thing_Type"><InstanceID>x</InstanceID></p:One_ref>`, "One_ref", "is not a T_Base"},
		"wrong EPR class":   {`<p:One_ref><a:ReferenceParameters><w:ResourceURI>` + wsman.ClassPrefix + `T_Thing</w:ResourceURI></a:ReferenceParameters></p:One_ref>`, "One_ref", "is not a T_Base"},
		"missing key":       {`<p:One_ref xsi:type="p:T_Disk_Type"><SystemName>x</SystemName></p:One_ref>`, "One_ref", "has no DeviceID"},
		"keyless":           {`<p:Any_emb><x/></p:Any_emb>`, "Any_emb", "no class"},
		"MOF":               {`<p:One_emb>instance of T_Disk {};</p:One_emb>`, "One_emb", "T_Disk is not"},
		"rubbish":           {`<p:One_emb>rubbish</p:One_emb>`, "One_emb", "or XML"},
		"broken text":       {`<p:One_emb>&lt;T_Setting&gt;</p:One_emb>`, "One_emb", "well-formed"},
		"DTD in text":       {`<p:One_emb>&lt;!DOCTYPE a&gt;&lt;T_Setting/&gt;</p:One_emb>`, "One_emb", "document type"},
		"other embedded":    {`<p:One_emb xsi:type="p:T_Disk_Type"><DeviceID>1</DeviceID></p:One_emb>`, "One_emb", "T_Disk is not a T_Setting"},
		"other in text":     {`<p:One_emb>&lt;T_Disk/&gt;</p:One_emb>`, "One_emb", "T_Disk is not a T_Setting"},
		"unknown embedded":  {`<p:One_emb xsi:type="p:T_Tape_Type"><DeviceID>1</DeviceID></p:One_emb>`, "One_emb", `no class "T_Tape"`},
		"unknown property":  {`<p:One_emb><Speed>1</Speed></p:One_emb>`, "One_emb", `no property "Speed"`},
		"wrong property":    {`<p:One_emb><Level>x</Level></p:One_emb>`, "One_emb", "property Level"},
		"CIM-XML property":  {`<p:One_emb><INSTANCE CLASSNAME="T_Setting"><PROPERTY NAME="Speed"/></INSTANCE></p:One_emb>`, "One_emb", `no property "Speed"`},
		"CIM-XML value":     {`<p:One_emb><INSTANCE CLASSNAME="T_Setting"><PROPERTY NAME="Level"><VALUE>x</VALUE></PROPERTY></INSTANCE></p:One_emb>`, "One_emb", "property Level"},
		"CIM-XML other":     {`<p:One_emb><INSTANCE CLASSNAME="T_Disk"/></p:One_emb>`, "One_emb", "T_Disk is not"},
		"CIM-XML reference": {`<p:One_emb><INSTANCE CLASSNAME="T_Setting"><PROPERTY.REFERENCE NAME="Disk"><VALUE.REFERENCE/></PROPERTY.REFERENCE></INSTANCE></p:One_emb>`, "One_emb", "INSTANCENAME"},
		"CIM-XML element":   {`<p:One_emb><INSTANCE CLASSNAME="T_Setting"><PROPERTY.LIST NAME="Disk"/></INSTANCE></p:One_emb>`, "One_emb", "not understood"},
		"nested too deep":   {`<p:One_emb>` + deep + `</p:One_emb>`, "One_emb", "deep"},
	} {
		_, err := decodeOne(t, s, c.xml)
		f, ok := errors.AsType[*wsman.Fault](err)
		require.True(t, ok, name)
		require.Equal(t, "InvalidParameter", f.Subcode.Local, name)
		require.Contains(t, f.Reason, "parameter "+c.param+": ", name)
		require.Contains(t, f.Reason, c.says, name)
		cause, ok := errors.AsType[*ArgError](err)
		require.True(t, ok, name)
		require.Equal(t, c.param, cause.Param.Name, name)
	}
}

func TestDecodeArgsNamesUnknownParameters(t *testing.T) {
	s := newSchema()
	_, err := decodeOne(t, s, `<p:One_string>x</p:One_string><p:Sped>1</p:Sped>`)
	f, ok := errors.AsType[*wsman.Fault](err)
	require.True(t, ok)
	require.Equal(t, "InvalidParameter", f.Subcode.Local)
	require.True(t, strings.HasSuffix(f.Detail, "/"+wsman.DetailInvalidName))
	require.Contains(t, f.Reason, `"Sped"`)
	_, ok = errors.AsType[*ArgError](err)
	require.False(t, ok)
	_, err = decodeOne(t, s, `<p:`+strings.Repeat("S", 1000)+`/>`)
	require.Less(t, len(err.Error()), 300)
}

func TestDecodeInstanceErrors(t *testing.T) {
	s := newSchema()
	strict, lenient := s.env(), s.env()
	lenient.IgnoreUnknown = true
	e := parsed(t, `<p:T_Setting><p:Speed>1</p:Speed><p:Level>7</p:Level></p:T_Setting>`)
	_, err := DecodeInstance(e, nil, strict)
	f, ok := errors.AsType[*wsman.Fault](err)
	require.True(t, ok)
	require.Equal(t, "InvalidRepresentation", f.Subcode.Local)
	require.Contains(t, f.Reason, `"Speed"`)
	in, err := DecodeInstance(e, nil, lenient)
	require.NoError(t, err)
	require.Equal(t, uint64(7), in.Get("Level"))
	_, err = DecodeInstance(nil, nil, strict)
	require.Error(t, err)
	_, err = DecodeInstance(parsed(t, `<p:T_Tape/>`), nil, strict)
	require.ErrorContains(t, err, "T_Tape")
	_, err = DecodeInstance(parsed(t, `<p:T_Tape/>`), nil, Env{})
	require.ErrorContains(t, err, "T_Tape")
	_, err = DecodeInstance(parsed(t, `<p:T_Tape><p:Level>x</p:Level></p:T_Tape>`), s.setting, strict)
	require.ErrorContains(t, err, "property Level")
	in, err = DecodeInstance(parsed(t, `<p:X xsi:type="p:T_Special_Type"><p:More>1</p:More></p:X>`), nil, strict)
	require.NoError(t, err)
	require.Equal(t, s.special, in.Class)
}
