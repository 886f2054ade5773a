package wscim

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// escaped is text as it is in XML.
func escaped(s string) string {
	var w soap.Writer
	w.Text(s)
	return string(w.Bytes())
}

func embeddedText(t *testing.T, s *testSchema, text string) (*cim.Instance, error) {
	t.Helper()
	args, err := decodeOne(t, s, `<p:Any_emb>`+escaped(text)+`</p:Any_emb>`)
	in, _ := args.Get("Any_emb").(*cim.Instance)
	return in, err
}

func TestEmbeddedMOF(t *testing.T) {
	s := newSchema()
	in, err := embeddedText(t, s, `  // a comment
		Instance OF t_special { /* another
		one */ Level = 0x10; Tags = {"a\"b\\", "two " "parts\n", NULL, "\x41\x00e9"}; When = "19990101000000.000000+000";
		Inner = instance of T_Setting { Level = 101b; Tags = {}; };
		Disk = "root/other:T_Disk.SystemName=\"a,\\\"b\",DeviceID=7"; more = TRUE;
	}; // the end`)
	require.NoError(t, err)
	require.Equal(t, s.special, in.Class)
	require.Equal(t, uint64(16), in.Get("Level"))
	require.Equal(t, []cim.Value{`a"b\`, "two parts\n", nil, "Aé"}, in.Get("Tags"))
	require.Equal(t, "19990101000000.000000+000", cim.FormatText(in.Get("When")))
	require.Equal(t, true, in.Get("More"))
	inner := in.Get("Inner").(*cim.Instance)
	require.Equal(t, uint64(5), inner.Get("Level"))
	require.Equal(t, []cim.Value{}, inner.Get("Tags"))
	want := &cim.Path{Namespace: "root/other", Class: "T_Disk", Keys: []cim.Key{{Name: "SystemName", Value: `a,"b`}, {Name: "DeviceID", Value: uint64(7)}}}
	require.True(t, want.Equal(in.Get("Disk").(*cim.Path)), "%v", in.Get("Disk"))

	in, err = embeddedText(t, s, `instance of T_Thing { InstanceID = "x"; One_boolean = false; One_char16 = 'c'; One_uint8 = 0377; One_sint8 = -128; One_uint64 = 18446744073709551615; One_sint32 = +7;
		One_real32 = -1.5e2; One_real64 = 3; One_datetime = "00000001020304.000000:000"; One_emb = "instance of T_Setting { Level = 9; };"; Many_emb = {instance of T_Setting {}, null}; Many_uint16 = 4;
		Any_emb = "<INSTANCE CLASSNAME=\"T_Setting\"><PROPERTY NAME=\"Level\"><VALUE>8</VALUE></PROPERTY></INSTANCE>"; One_string = null }`)
	require.ErrorContains(t, err, `";" is missing`)
	require.Nil(t, in)
	in, err = embeddedText(t, s, `instance of T_Thing { InstanceID = "x"; One_boolean = false; One_char16 = 'c'; One_uint8 = 0377; One_sint8 = -128; One_uint64 = 18446744073709551615; One_sint32 = +7;
		One_real32 = -1.5e2; One_real64 = 3; One_datetime = "00000001020304.000000:000"; One_emb = "instance of T_Setting { Level = 9; };"; Many_emb = {instance of T_Setting {}, null}; Many_uint16 = 4;
		Any_emb = "<INSTANCE CLASSNAME=\"T_Setting\"><PROPERTY NAME=\"Level\"><VALUE>8</VALUE></PROPERTY></INSTANCE>"; One_string = null; }`)
	require.NoError(t, err)
	for name, want := range map[string]cim.Value{
		"One_boolean": false, "One_char16": uint64('c'), "One_uint8": uint64(255), "One_sint8": int64(-128), "One_uint64": ^uint64(0), "One_sint32": int64(7), "One_real32": -150.0, "One_real64": 3.0,
		"One_string": nil, "Many_uint16": []cim.Value{uint64(4)},
	} {
		require.Equal(t, want, in.Get(name), name)
	}
	require.Equal(t, uint64(9), in.Get("One_emb").(*cim.Instance).Get("Level"))
	require.Equal(t, uint64(8), in.Get("Any_emb").(*cim.Instance).Get("Level"))
}

func TestEmbeddedMOFErrors(t *testing.T) {
	s := newSchema()
	deep := `{}`
	for range maxNesting {
		deep = `{ Inner = instance of T_Setting ` + deep + `; }`
	}
	for text, want := range map[string]string{
		"x":                                                        `character 1: "instance of", or XML, is missing`,
		"instance T_Setting {};":                                   `"instance of", or XML, is missing`,
		"instance of T_Tape {};":                                   `character 13: there is no class "T_Tape"`,
		"instance of T_Setting":                                    `"{" is missing`,
		"instance of T_Setting { Level = 1;":                       `has no property ""`,
		"instance of T_Setting { Level = 1 }":                      `";" is missing`,
		"instance of T_Setting { Level 1; }":                       `"=" is missing`,
		"instance of T_Setting { Speed = 1; }":                     `character 25: class T_Setting has no property "Speed"`,
		"instance of T_Setting { Level = ; }":                      `character 33: property Level: want uint16`,
		"instance of T_Setting { Level = 65536; }":                 `character 33: property Level: 65536 is out of the range`,
		`instance of T_Setting { Level = "1"; }`:                   `property Level: want uint16`,
		"instance of T_Setting { Level = true; }":                  `property Level: want uint16`,
		"instance of T_Setting { Level = 1; }; x":                  `character 39: the instance ends before this`,
		"instance of T_Setting { Level = {1}; }":                   `character 33: property Level is no array`,
		"instance of T_Setting { Inner = {instance of T_Tape":      `property Inner is no array`,
		"instance of T_Setting { Level = --1; }":                   `want uint16`,
		"instance of T_Setting { Level = 09; }":                    ``,
		`instance of T_Setting { Tags = {"a" "b", "c`:              `does not end`,
		`instance of T_Setting { Tags = {"a", 1}; }`:               `want string`,
		`instance of T_Setting { Tags = {"a"; }`:                   `"," is missing`,
		`instance of T_Setting { Tags = "\q"; }`:                   `character 33: the escape`,
		`instance of T_Setting { Tags = "\x"; }`:                   `the escape`,
		`instance of T_Setting { Tags = "\`:                        `the escape`,
		`instance of T_Setting { When = "now"; }`:                  `property When`,
		`instance of T_Setting { Disk = 7; }`:                      `property Disk: want ref`,
		`instance of T_Setting { Disk = "T_Tape.A=1"; }`:           `T_Tape`,
		`instance of T_Setting { Disk = "T_Setting"; }`:            `T_Setting is not a T_Disk`,
		`instance of T_Setting { Inner = 1; }`:                     `"instance of", or XML, is missing`,
		`instance of T_Setting { Inner = "<x"; }`:                  `XML`,
		`instance of T_Setting { Inner = instance of T_Disk {}; }`: `T_Disk is not a T_Setting`,
		"instance of T_Setting { #":                                `'#' is not expected`,
		"instance of T_Setting { /* never":                         `has no property ""`,
		"instance of T_Setting " + deep + ";":                      `deep`,
	} {
		if want == "" {
			_, err := embeddedText(t, s, text)
			require.NoError(t, err, text)
			continue
		}
		_, err := embeddedText(t, s, text)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "parameter Any_emb: ", text)
	}
}

func TestPathText(t *testing.T) {
	s := newSchema()
	r := reader{env: s.env()}
	disk := diskPath(5)
	for _, text := range []string{
		`T_Disk.SystemName="host",DeviceID=5`, `t_disk.deviceid=0x5,systemname="host"`, `root/test:T_Disk.SystemName="host",DeviceID=5`, `/root/test:T_Disk.SystemName="host",DeviceID="5"`,
		`//h.example:5988/ignored`, `//h.example/root/test:T_Disk.SystemName="host",DeviceID=5`, `\\h.example\root\test:T_Disk.SystemName='host',DeviceID=5`, disk.String(),
	} {
		p, err := r.pathText(text)
		if strings.HasSuffix(text, "ignored") {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err, text)
		require.True(t, disk.Equal(p), "%s: %s", text, p)
	}
	link := &cim.Path{Namespace: "root/test", Class: "T_Link", Keys: []cim.Key{{Name: "Antecedent", Value: diskPath(1)}, {Name: "Dependent", Value: diskPath(2)}}}
	p, err := r.pathText(link.String())
	require.NoError(t, err)
	require.True(t, link.Equal(p), p.String())
	for text, want := range map[string]string{
		"": "not an object path", "T_Disk.": "not an object path", "root:": "not an object path", "//host": "no namespace", "T_Disk.DeviceID": "KEY=VALUE", "T_Disk.=5": "KEY=VALUE", "T_Disk.DeviceID=": "KEY=VALUE",
		`T_Disk.SystemName="a`: "does not end", `T_Disk.SystemName="a"x`: "comma", `T_Disk.SystemName="a",`: "comma", `T_Disk.Colour=1`: "Colour", `T_Disk.SystemName="a"`: "DeviceID", "T_Tape": "T_Tape",
		`T_Link.Antecedent="T_Tape",Dependent="x"`: "T_Tape",
	} {
		_, err := r.pathText(text)
		require.ErrorContains(t, err, want, text)
	}
	nested := `x`
	for range maxNesting + 2 {
		nested = `T_Link.Antecedent=` + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(nested) + `"`
		if len(nested) > 1<<16 {
			break
		}
	}
	_, err = r.pathText(nested)
	require.Error(t, err)
}

func TestCIMXMLReferences(t *testing.T) {
	s := newSchema()
	const name = `<INSTANCENAME CLASSNAME="T_Disk"><KEYBINDING NAME="SystemName"><KEYVALUE VALUETYPE="string">host</KEYVALUE></KEYBINDING>` +
		`<KEYBINDING NAME="DeviceID"><KEYVALUE VALUETYPE="numeric">5</KEYVALUE></KEYBINDING></INSTANCENAME>`
	const local = `<LOCALNAMESPACEPATH><NAMESPACE NAME="root"/><NAMESPACE NAME="test"/></LOCALNAMESPACEPATH>`
	setting := func(ref string) string {
		return `<INSTANCE CLASSNAME="T_Setting"><PROPERTY.REFERENCE NAME="Disk"><VALUE.REFERENCE>` + ref + `</VALUE.REFERENCE></PROPERTY.REFERENCE></INSTANCE>`
	}
	for _, ref := range []string{name, `<LOCALINSTANCEPATH>` + local + name + `</LOCALINSTANCEPATH>`,
		`<INSTANCEPATH><NAMESPACEPATH><HOST>h</HOST>` + local + `</NAMESPACEPATH>` + name + `</INSTANCEPATH>`} {
		in, err := embeddedText(t, s, setting(ref))
		require.NoError(t, err, ref)
		require.True(t, diskPath(5).Equal(in.Get("Disk").(*cim.Path)), ref)
	}
	for ref, want := range map[string]string{
		"": "INSTANCENAME", "<CLASSNAME/>": "INSTANCENAME", "<INSTANCEPATH/>": "INSTANCENAME", `<INSTANCENAME CLASSNAME="T_Tape"/>`: "T_Tape", `<INSTANCENAME CLASSNAME="T_Disk"><X/></INSTANCENAME>`: "key binding",
		`<INSTANCENAME CLASSNAME="T_Disk"><KEYBINDING NAME="DeviceID"/></INSTANCENAME>`: "key binding", strings.Replace(name, "DeviceID", "Colour", 1): "Colour", strings.Replace(name, ">5<", ">x<", 1): "DeviceID",
		strings.ReplaceAll(strings.Replace(name, "T_Disk", "T_Link", 1), "SystemName", "Antecedent"): "key of T_Link",
	} {
		_, err := embeddedText(t, s, setting(ref))
		require.ErrorContains(t, err, want, ref)
	}
	in, err := embeddedText(t, s, `<INSTANCE CLASSNAME="T_Setting"><PROPERTY.REFERENCE NAME="Disk"/></INSTANCE>`)
	require.NoError(t, err)
	require.Nil(t, in.Get("Disk"))
}

// Whatever text is taken for an instance can be written and read again.
func FuzzEmbeddedText(f *testing.F) {
	for _, seed := range []string{
		`instance of T_Setting { Level = 7; Tags = {"a", NULL}; When = "19990101000000.000000+000"; Inner = instance of T_Special { More = true; }; };`,
		`instance of T_Setting { Disk = "root/test:T_Disk.SystemName=\"a\",DeviceID=7"; };`, `instance of T_Setting { /* x */ Level = 0x1F; // y` + "\n};",
		`<INSTANCE CLASSNAME="T_Setting"><PROPERTY.REFERENCE NAME="Disk"><VALUE.REFERENCE><INSTANCENAME CLASSNAME="T_Disk"/></VALUE.REFERENCE></PROPERTY.REFERENCE></INSTANCE>`,
	} {
		f.Add(seed)
	}
	s := newSchema()
	f.Fuzz(func(t *testing.T, text string) {
		v, err := reader{env: s.env()}.embeddedText(decl{embedded: "*"}, text)
		if err != nil {
			return
		}
		var w soap.Writer
		WriteInstance(&w, wsman.ClassPrefix, v.(*cim.Instance), InstanceOptions{Standalone: true})
		e, err := soap.Parse(w.Bytes(), soap.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeInstance(e, nil, s.env()); err != nil {
			_, isFault := errors.AsType[*wsman.Fault](err)
			t.Fatalf("%v %v %s", err, isFault, w.Bytes())
		}
	})
}
