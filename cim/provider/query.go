package provider

import (
	"context"

	"twinlun/cim"
)

// Filter checks a query against the schema. StatusQueryLanguageNotSupported, and
// StatusInvalidQuery with the place of what is wrong.
func (b *Broker) Filter(ns string, q cim.Query) (cim.Filter, error) {
	return nil, cim.Errorf(cim.StatusQueryLanguageNotSupported, "the query language %q is not served", q.Language)
}

// Query yields what a query selects.
func (b *Broker) Query(ctx context.Context, ns string, q cim.Query, yield cim.Yield) error {
	return cim.Errorf(cim.StatusQueryLanguageNotSupported, "the query language %q is not served", q.Language)
}

// Count says how many instances Enumerate would yield; known is false where that
// cannot be told without making them.
func (b *Broker) Count(ctx context.Context, ns, class string, o cim.EnumerateOptions) (n int, known bool, err error) {
	return 0, false, nil
}
