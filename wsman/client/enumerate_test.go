package client

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

// inPages answers Enumerate and Pull with n volumes, two at a time, and a context
// that changes; Release is answered too.
func inPages(n uint64) map[string]answer {
	page := func(w *soap.Writer, from uint64, prefix string) {
		last := from+2 >= n
		next := strconv.FormatUint(from+2, 10)
		if last {
			next = ""
		}
		w.Element("n", "EnumerationContext", next)
		var ids []uint64
		for id := from; id < n && id < from+2; id++ {
			ids = append(ids, id)
		}
		writeItems(w, prefix, ids...)
		if last {
			w.Element(prefix, "EndOfSequence", "")
		}
	}
	return map[string]answer{
		wsman.ActionEnumerate: replies(func(w *soap.Writer) {
			w.Start("n", "EnumerateResponse")
			page(w, 0, "w")
			w.End()
		}),
		wsman.ActionPull: func(_ *http.Request, m *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
			from, err := strconv.ParseUint(soap.ChildText(m.Body, wsman.NSEnumeration, "EnumerationContext"), 10, 64)
			if err != nil {
				return soap.ResponseHeader{}, nil, wsman.InvalidEnumerationContext("wrong")
			}
			return soap.ResponseHeader{}, func(w *soap.Writer) {
				w.Start("n", "PullResponse")
				page(w, from, "n")
				w.End()
			}, nil
		},
		wsman.ActionRelease: replies(nil),
	}
}

func TestEnumerate(t *testing.T) {
	for _, n := range []uint64{0, 1, 2, 7} {
		s := newServer(t, inPages(n))
		c := started(t, s, func(cfg *Config) { cfg.MaxElements = 50 })
		var ids []uint64
		err := c.Enumerate(t.Context(), "", "T_Volume", func(in *cim.Instance) error {
			require.True(t, cim.Equal(volume(uint64(len(ids))), in))
			require.True(t, volumePath(uint64(len(ids))).Equal(in.Path))
			ids = append(ids, uint64(len(ids)))
			return nil
		})
		require.NoError(t, err)
		require.Len(t, ids, int(n))
		require.Empty(t, s.requests(wsman.ActionRelease))
		m := s.requests(wsman.ActionEnumerate)[0]
		require.Equal(t, wsman.ClassPrefix+"T_Volume", m.ResourceURI)
		require.Equal(t, []wsman.Selector{{Name: wsman.SelectorNamespace, Value: "root/test"}}, m.Selectors)
		require.Equal(t, "50", soap.ChildText(m.Body, wsman.NSWSMan, "MaxElements"))
		require.NotNil(t, soap.Child(m.Body, wsman.NSWSMan, "OptimizeEnumeration"))
		require.Equal(t, wsman.ModeObjectAndEPR, soap.ChildText(m.Body, wsman.NSWSMan, "EnumerationMode"))
		for _, p := range s.requests(wsman.ActionPull) {
			require.Equal(t, "50", soap.ChildText(p.Body, wsman.NSEnumeration, "MaxElements"))
			require.Equal(t, m.ResourceURI, p.ResourceURI)
		}
	}
}

// Who stops early tells the server, once.
func TestEnumerateStopsEarly(t *testing.T) {
	stop := errors.New("enough")
	for _, after := range []int{1, 3} {
		s := newServer(t, inPages(7))
		n := 0
		err := started(t, s, nil).Enumerate(t.Context(), "", "T_Volume", func(*cim.Instance) error {
			if n++; n == after {
				return stop
			}
			return nil
		})
		require.ErrorIs(t, err, stop)
		require.Len(t, s.requests(wsman.ActionRelease), 1)
	}
	s := newServer(t, inPages(2))
	err := started(t, s, nil).Enumerate(t.Context(), "", "T_Volume", func(*cim.Instance) error { return stop })
	require.ErrorIs(t, err, stop)
	require.Empty(t, s.requests(wsman.ActionRelease), "it was over already")
}

func TestEnumerateReleasesWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, inPages(7))
	err := started(t, s, nil).Enumerate(ctx, "", "T_Volume", func(*cim.Instance) error {
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, s.requests(wsman.ActionRelease), 1)
}

func TestEnumerateFaults(t *testing.T) {
	answers := inPages(7)
	answers[wsman.ActionPull] = fails(wsman.InvalidEnumerationContext("expired"))
	s := newServer(t, answers)
	err := started(t, s, nil).Enumerate(t.Context(), "", "T_Volume", func(*cim.Instance) error { return nil })
	f, ok := errors.AsType[*wsman.Fault](err)
	require.True(t, ok)
	require.Equal(t, "InvalidEnumerationContext", f.Subcode.Local)
}

// A server that never ends and never gives anything does not hold the client.
func TestEnumerateWithoutEnd(t *testing.T) {
	more := replies(func(w *soap.Writer) {
		w.Start("n", "PullResponse")
		w.Element("n", "EnumerationContext", "again")
		w.End()
	})
	s := newServer(t, map[string]answer{wsman.ActionEnumerate: more, wsman.ActionPull: more, wsman.ActionRelease: replies(nil)})
	err := started(t, s, nil).Enumerate(t.Context(), "", "T_Volume", func(*cim.Instance) error { return nil })
	require.ErrorContains(t, err, "without an end")
	require.Len(t, s.requests(wsman.ActionPull), maxEmpty)
	require.Len(t, s.requests(wsman.ActionRelease), 1)
}

// Some servers give instances without references, and without w:Item.
func TestEnumeratePlainItems(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionEnumerate: replies(func(w *soap.Writer) {
		w.Start("n", "EnumerateResponse")
		w.Start("w", "Items")
		wscim.WriteInstance(w, wsman.ClassPrefix, volume(3), wscim.InstanceOptions{})
		w.End()
		w.End()
	})})
	var got []*cim.Instance
	err := started(t, s, nil).Enumerate(t.Context(), "root/other", "T_Volume", func(in *cim.Instance) error {
		got = append(got, in)
		return nil
	})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "root/other:T_Volume.ID=3", got[0].Path.String())
}

func TestAssociators(t *testing.T) {
	s := newServer(t, inPages(1))
	c := started(t, s, nil)
	none := func(*cim.Instance) error { return nil }
	require.NoError(t, c.Associators(t.Context(), cim.AssociationQuery{
		Object: volumePath(5), AssociationClass: "T_Link", ResultClass: "T_Volume", Role: "From", ResultRole: "To"}, none))
	require.NoError(t, c.Associators(t.Context(), cim.AssociationQuery{Object: volumePath(5), ResultClass: "T_Link", References: true}, none))
	require.Error(t, c.Associators(t.Context(), cim.AssociationQuery{}, none))

	ms := s.requests(wsman.ActionEnumerate)
	require.Len(t, ms, 2)
	for i, kind := range []string{"AssociatedInstances", "AssociationInstances"} {
		m := ms[i]
		require.Equal(t, wsman.AllClassesURI, m.ResourceURI)
		require.Equal(t, []wsman.Selector{{Name: wsman.SelectorNamespace, Value: "root/test"}}, m.Selectors)
		filter := soap.Child(m.Body, wsman.NSWSMan, "Filter")
		dialect, _ := soap.Attr(filter, "", "Dialect")
		require.Equal(t, wsman.DialectAssociation, dialect)
		query := soap.Child(filter, wsman.NSBinding, kind)
		require.NotNil(t, query)
		epr, err := soap.ReadEPR(soap.Child(query, wsman.NSBinding, "Object"))
		require.NoError(t, err)
		p, err := wscim.EPRToPath(epr, wscim.Env{Class: schema().Class})
		require.NoError(t, err)
		require.True(t, volumePath(5).Equal(p))
		var parts []string
		for e := range soap.Children(query) {
			if e.Tag != "Object" {
				parts = append(parts, e.Tag+"="+soap.Text(e))
			}
		}
		want := [][]string{{"AssociationClassName=T_Link", "Role=From", "ResultClassName=T_Volume", "ResultRole=To"}, {"ResultClassName=T_Link"}}
		require.Equal(t, want[i], parts)
	}
}
