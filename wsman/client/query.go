package client

import (
	"context"
	"strings"

	"twinlun/cim"
	"twinlun/wsman"
	"twinlun/wsman/soap"
)

// Query lists what a select statement selects, in cim.LanguageWQL or
// cim.LanguageCQL. Properties that the server does not send, because the select
// list does not name them, are hidden. It is otherwise like EnumerateWith.
func (c *Client) Query(ctx context.Context, ns string, q cim.Query, o cim.EnumerateOptions, yield cim.Yield) error {
	dialect, err := dialectOf(q.Language)
	if err != nil {
		return err
	}
	h := c.header(wsman.ActionEnumerate, &cim.Path{Namespace: ns})
	h.ResourceURI = wsman.AllClassesURI
	e := &enumeration{c: c, header: h, ns: c.namespace(ns), partial: true}
	return e.run(ctx, func(w *soap.Writer) {
		w.Start("w", "Filter")
		w.Attr("", "Dialect", dialect)
		w.Text(q.Text)
		w.End()
		writePolymorphism(w, o)
	}, yield)
}

func dialectOf(language string) (string, error) {
	switch {
	case strings.EqualFold(language, cim.LanguageWQL):
		return wsman.DialectWQL, nil
	case strings.EqualFold(language, cim.LanguageCQL):
		return wsman.DialectCQL, nil
	}
	return "", cim.Errorf(cim.StatusQueryLanguageNotSupported, "%q is not a query language", language)
}
