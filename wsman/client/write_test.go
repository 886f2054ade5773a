package client

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
	"twinlun/wsman/wscim"
)

func TestModify(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionPut: replies(func(w *soap.Writer) {
		wscim.WriteInstance(w, wsman.ClassPrefix, volume(7), wscim.InstanceOptions{})
	})})
	c := started(t, s, nil)
	in, err := c.Modify(t.Context(), volumePath(7), []cim.PropertyValue{{Name: "name", Value: "a<b"}})
	require.NoError(t, err)
	require.True(t, cim.Equal(volume(7), in))
	require.True(t, volumePath(7).Equal(in.Path))

	m := s.requests(wsman.ActionPut)[0]
	require.Equal(t, wsman.ClassPrefix+"T_Volume", m.ResourceURI)
	require.Equal(t, "7", m.Selectors[0].Value)
	require.Equal(t, "T_Volume", m.Body.Tag)
	require.Equal(t, "a<b", soap.ChildText(m.Body, wsman.ClassPrefix+"T_Volume", "Name"))
	require.Nil(t, soap.Child(m.Body, "", "ID"), "nothing but what changes is sent")
	o, ok := m.Option(wsman.OptionModified)
	require.True(t, ok)
	require.Equal(t, "Name", o.Value, "as it is declared")

	_, err = c.Modify(t.Context(), volumePath(7), []cim.PropertyValue{{Name: "Name", Value: nil}})
	require.NoError(t, err)
	require.True(t, soap.IsNil(soap.Child(s.requests(wsman.ActionPut)[1].Body, "", "Name")))
}

func TestModifyOfServersThatDoNotShowTheResult(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionPut: replies(nil), wsman.ActionGet: replies(func(w *soap.Writer) {
		wscim.WriteInstance(w, wsman.ClassPrefix, volume(7), wscim.InstanceOptions{})
	})})
	in, err := started(t, s, nil).Modify(t.Context(), volumePath(7), nil)
	require.NoError(t, err)
	require.True(t, cim.Equal(volume(7), in))
}

func TestCreate(t *testing.T) {
	for name, body := range map[string]func(*soap.Writer){
		"inline": func(w *soap.Writer) { wscim.WriteResourceCreated(w, wsman.ClassPrefix, volumePath(9)) },
		"wrapped": func(w *soap.Writer) {
			w.Start("x", "ResourceCreated")
			soap.WriteEPR(w, wscim.PathToEPR(volumePath(9), wsman.ClassPrefix))
			w.End()
		},
	} {
		s := newServer(t, map[string]answer{wsman.ActionCreate: replies(body)})
		p, err := started(t, s, nil).Create(t.Context(), "", "t_volume", []cim.PropertyValue{{Name: "ID", Value: 9}, {Name: "Name", Value: "n"}})
		require.NoError(t, err, name)
		require.True(t, volumePath(9).Equal(p), name)
		m := s.requests(wsman.ActionCreate)[0]
		require.Equal(t, wsman.ClassPrefix+"T_Volume", m.ResourceURI)
		require.Equal(t, []wsman.Selector{{Name: wsman.SelectorNamespace, Value: "root/test"}}, m.Selectors)
		require.Equal(t, "9", soap.ChildText(m.Body, "", "ID"))
	}
}

func TestDelete(t *testing.T) {
	s := newServer(t, map[string]answer{wsman.ActionDelete: replies(nil)})
	require.NoError(t, started(t, s, nil).Delete(t.Context(), volumePath(3)))
	require.Equal(t, "3", s.requests(wsman.ActionDelete)[0].Selectors[0].Value)
}

func TestWritesFail(t *testing.T) {
	s := newServer(t, map[string]answer{
		wsman.ActionPut:    fails(wsman.InvalidRepresentation(wsman.DetailInvalidValues, "Name cannot be modified")),
		wsman.ActionCreate: replies(nil), wsman.ActionDelete: fails(wsman.InvalidResourceURI("gone")),
	})
	c := started(t, s, nil)
	name := func(v cim.Value) []cim.PropertyValue { return []cim.PropertyValue{{Name: "Name", Value: v}} }
	_, err := c.Modify(t.Context(), volumePath(7), name("x"))
	f, ok := errors.AsType[*wsman.Fault](err)
	require.True(t, ok)
	require.Equal(t, "InvalidRepresentation", f.Subcode.Local)
	require.ErrorContains(t, c.Delete(t.Context(), volumePath(7)), "gone")
	_, err = c.Create(t.Context(), "", "T_Volume", name("x"))
	require.ErrorContains(t, err, "ResourceCreated")

	before := len(s.seen)
	for _, bad := range [][]cim.PropertyValue{name(5), {{Name: "Colour", Value: "red"}}} {
		_, err = c.Modify(t.Context(), volumePath(7), bad)
		require.Contains(t, []cim.Status{cim.StatusTypeMismatch, cim.StatusNoSuchProperty}, cim.StatusOf(err))
		_, err = c.Create(t.Context(), "", "T_Volume", bad)
		require.Contains(t, []cim.Status{cim.StatusTypeMismatch, cim.StatusNoSuchProperty}, cim.StatusOf(err))
	}
	require.Len(t, s.seen, before, "what is wrong is refused here")
	_, err = c.Create(t.Context(), "", "T_Tape", nil)
	require.Equal(t, cim.StatusInvalidClass, cim.StatusOf(err))
	s.answers[wsman.ActionDelete] = func(*http.Request, *soap.Message) (soap.ResponseHeader, func(*soap.Writer), error) {
		return soap.ResponseHeader{RelatesTo: "uuid:another"}, nil, nil
	}
	require.Error(t, c.Delete(t.Context(), volumePath(7)))
}
