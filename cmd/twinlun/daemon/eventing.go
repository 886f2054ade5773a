package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"twinlun/cim"
	"twinlun/replication/store"
	"twinlun/wsman/eventing"
)

// subscriptionBucket holds subscriptions, by id. They are in the store's file, which
// nobody else may read, for some have passwords in them.
const subscriptionBucket = "subscription"

// openEvents takes up the subscriptions that were stored.
func (d *Daemon) openEvents(ctx context.Context, queries eventing.Querier) (err error) {
	d.events, err = eventing.New(ctx, eventing.Config{
		Queries: queries, Store: subscriptionStore{d.store}, Logger: d.log, Time: time.Now, Rand: rand.Reader,
		Registerer: d.registry, Allow: destinations(d.cfg.EventDestinations).allow, Role: d.roleOf,
	})
	if err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	d.subscribers = d.events
	return nil
}

// roleOf is what a user may do now. Where that cannot be read it stays as it was.
func (d *Daemon) roleOf(user string) (cim.Role, bool) {
	users, err := d.users.List()
	if err != nil {
		return cim.RoleAdmin, true
	}
	for _, u := range users {
		if u.Name == user {
			return u.Role, true
		}
	}
	return 0, false
}

// subscriptionStore keeps subscriptions in the daemon's store.
type subscriptionStore struct{ store store.Store }

// All implements eventing.Store.
func (s subscriptionStore) All(ctx context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	return all, s.store.View(ctx, func(tx store.Tx) error {
		return tx.Scan(subscriptionBucket, "", func(id string, data []byte) error {
			all[id] = bytes.Clone(data)
			return nil
		})
	})
}

// Put implements eventing.Store.
func (s subscriptionStore) Put(ctx context.Context, id string, data []byte) error {
	data = bytes.Clone(data)
	return s.store.Update(ctx, func(tx store.Tx) error { return tx.Put(subscriptionBucket, id, data) })
}

// Delete implements eventing.Store.
func (s subscriptionStore) Delete(ctx context.Context, id string) error {
	return s.store.Update(ctx, func(tx store.Tx) error { return tx.Delete(subscriptionBucket, id) })
}

// destinations are the hosts that events may be sent to; none: all.
type destinations []string

// allow says whether one of them is the host of a URL. A name is not looked up: a
// prefix is for addresses only.
func (ds destinations) allow(_ string, to *url.URL) error {
	if len(ds) == 0 {
		return nil
	}
	host := to.Hostname()
	addr, err := netip.ParseAddr(host)
	for _, d := range ds {
		prefix, isPrefix := destinationPrefix(d)
		if isPrefix && err == nil && prefix.Contains(addr.Unmap()) || !isPrefix && strings.EqualFold(d, host) {
			return nil
		}
	}
	return fmt.Errorf("event_destinations does not have the host %s", host)
}

// check says what is wrong with the list.
func (ds destinations) check() error {
	for _, d := range ds {
		if _, ok := destinationPrefix(d); !ok && (d == "" || strings.ContainsAny(d, "/:* \t")) {
			return fmt.Errorf("event_destinations: %q is neither a host name nor an address nor a prefix such as 10.0.0.0/8", d)
		}
	}
	return nil
}

// destinationPrefix reads a prefix, or an address, which is one of itself.
func destinationPrefix(d string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(d); err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), true
	}
	p, err := netip.ParsePrefix(d)
	return p, err == nil
}

// Subscriptions is how many subscriptions to indications there are.
func (d *Daemon) Subscriptions() int { return d.events.Count() }
