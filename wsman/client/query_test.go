package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// sends answers Enumerate with one item.
func sends(item func(*soap.Writer)) map[string]answer {
	return map[string]answer{wsman.ActionEnumerate: replies(func(w *soap.Writer) {
		w.Start("n", "EnumerateResponse")
		w.Start("w", "Items")
		item(w)
		w.End()
		w.Element("w", "EndOfSequence", "")
		w.End()
	})}
}

// nameOnly is a volume that shows its name only, with its endpoint reference.
func nameOnly(id uint64, write func(*soap.Writer, *cim.Instance)) func(*soap.Writer) {
	in := volume(id)
	shown := make([]bool, len(in.Class.Properties))
	shown[in.Class.Property("Name").Index] = true
	return func(w *soap.Writer) {
		w.Start("w", "Item")
		write(w, in.Only(shown))
		soap.WriteEPR(w, wscim.PathToEPR(in.Path, wsman.ClassPrefix))
		w.End()
	}
}

func asInstance(w *soap.Writer, in *cim.Instance) {
	wscim.WriteInstance(w, wsman.ClassPrefix, in, wscim.InstanceOptions{})
}

func asFragment(w *soap.Writer, in *cim.Instance) { wscim.WriteFragment(w, wsman.ClassPrefix, in) }

func TestQuery(t *testing.T) {
	for language, dialect := range map[string]string{cim.LanguageWQL: wsman.DialectWQL, "wql": wsman.DialectWQL, cim.LanguageCQL: wsman.DialectCQL} {
		s := newServer(t, sends(nameOnly(3, asInstance)))
		q := cim.Query{Language: language, Text: "select Name from T_Volume where ID < 5 and Name <> '&'"}
		var got []*cim.Instance
		err := started(t, s, nil).Query(t.Context(), `root\other`, q, cim.EnumerateOptions{Shallow: true}, func(in *cim.Instance) error {
			got = append(got, in)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, "volxxx", got[0].Get("Name"))
		require.True(t, volumePath(3).Equal(got[0].Path))
		require.True(t, got[0].Hidden(got[0].Class.Property("ID").Index), "it was not sent")
		require.False(t, got[0].Hidden(got[0].Class.Property("Name").Index))

		m := s.requests(wsman.ActionEnumerate)[0]
		require.Equal(t, wsman.AllClassesURI, m.ResourceURI)
		require.Equal(t, []wsman.Selector{{Name: wsman.SelectorNamespace, Value: "root/other"}}, m.Selectors)
		filter := soap.Child(m.Body, wsman.NSWSMan, "Filter")
		got1, _ := soap.Attr(filter, "", "Dialect")
		require.Equal(t, dialect, got1)
		require.Equal(t, q.Text, soap.Text(filter))
		require.Equal(t, wsman.PolymorphismNone, soap.ChildText(m.Body, wsman.NSBinding, "PolymorphismMode"))
	}
}

func TestQueryFails(t *testing.T) {
	refused := wsman.CannotProcessFilter("line 1, column 8: what?").WithCIM(&cim.Error{Status: cim.StatusInvalidQuery, Msg: "what?"})
	s := newServer(t, map[string]answer{wsman.ActionEnumerate: fails(refused)})
	c := started(t, s, nil)
	none := func(*cim.Instance) error { return nil }
	err := c.Query(t.Context(), "", cim.Query{Language: cim.LanguageWQL, Text: "select"}, cim.EnumerateOptions{}, none)
	require.ErrorContains(t, err, "column 8")
	require.Equal(t, cim.StatusInvalidQuery, cim.StatusOf(err))
	err = c.Query(t.Context(), "", cim.Query{Language: "SQL", Text: "select"}, cim.EnumerateOptions{}, none)
	require.Equal(t, cim.StatusQueryLanguageNotSupported, cim.StatusOf(err))
	require.Len(t, s.requests(wsman.ActionEnumerate), 1, "it was not asked")
}

func TestEnumerateShallow(t *testing.T) {
	s := newServer(t, inPages(1))
	c := started(t, s, nil)
	none := func(*cim.Instance) error { return nil }
	require.NoError(t, c.EnumerateWith(t.Context(), "", "T_Volume", cim.EnumerateOptions{Shallow: true}, none))
	require.NoError(t, c.Enumerate(t.Context(), "", "T_Volume", none))
	ms := s.requests(wsman.ActionEnumerate)
	require.Equal(t, wsman.PolymorphismNone, soap.ChildText(ms[0].Body, wsman.NSBinding, "PolymorphismMode"))
	require.Nil(t, soap.Child(ms[1].Body, wsman.NSBinding, "PolymorphismMode"))
}

// Servers send some properties as an instance or as a fragment, whose class only
// the endpoint reference tells.
func TestAssociatorsWithProperties(t *testing.T) {
	for _, write := range []func(*soap.Writer, *cim.Instance){asInstance, asFragment} {
		s := newServer(t, sends(nameOnly(3, write)))
		var got []*cim.Instance
		err := started(t, s, nil).Associators(t.Context(), cim.AssociationQuery{Object: volumePath(5), Properties: []string{"Name", "Colour"}}, func(in *cim.Instance) error {
			got = append(got, in)
			return nil
		})
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.True(t, volumePath(3).Equal(got[0].Path))
		require.Equal(t, "volxxx", got[0].Get("Name"))
		require.True(t, got[0].Hidden(got[0].Class.Property("ID").Index))
		filter := soap.FirstChild(soap.Child(s.requests(wsman.ActionEnumerate)[0].Body, wsman.NSWSMan, "Filter"))
		var asked []string
		for e := range soap.Children(filter) {
			if e.Tag == "IncludeResultProperty" {
				asked = append(asked, soap.Text(e))
			}
		}
		require.Equal(t, []string{"Name", "Colour"}, asked)
	}
}

// A fragment of nobody knows what is an error, not a crash.
func TestFragmentWithoutClass(t *testing.T) {
	bad := map[string]func(*soap.Writer){
		"no reference": func(w *soap.Writer) { wscim.WriteFragment(w, wsman.ClassPrefix, volume(3)) },
		"no object": func(w *soap.Writer) {
			w.Start("w", "Item")
			soap.WriteEPR(w, wscim.PathToEPR(volumePath(3), wsman.ClassPrefix))
			w.End()
		},
		"an unknown class": func(w *soap.Writer) {
			w.Start("w", "Item")
			wscim.WriteFragment(w, wsman.ClassPrefix, volume(3))
			soap.WriteEPR(w, wsman.EPR{ResourceURI: wsman.ClassPrefix + "T_None"})
			w.End()
		},
	}
	for name, item := range bad {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, sends(item))
			err := started(t, s, nil).Associators(t.Context(), cim.AssociationQuery{Object: volumePath(5), Properties: []string{"Name"}},
				func(*cim.Instance) error { return nil })
			require.Error(t, err)
		})
	}
}
